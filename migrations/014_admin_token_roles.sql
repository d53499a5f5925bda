-- What a token of the admin API may do: owner, operator, viewer, or tenant_admin:ten_…. Tokens from
-- before are owners. The set of roles may grow, so there is no check.
-- Rollback barrier: older Workers ignore roles and treat every token as an owner's.
ALTER TABLE admin_tokens ADD COLUMN role TEXT NOT NULL DEFAULT 'owner';
