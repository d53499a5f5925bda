-- Limits of single API keys, within those of their tenant: one JSON object, so that a new limit needs
-- no migration. NULL: only the tenant's limits apply.
ALTER TABLE api_keys ADD COLUMN limits TEXT CHECK (limits IS NULL OR (json_valid(limits) AND json_type(limits) = 'object'));
