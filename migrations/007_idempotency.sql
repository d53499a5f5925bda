-- Responses to requests with an `Idempotency-Key`, for 24 hours.
--
-- A key is scoped to its tenant, API key and route. `body_digest` distinguishes a retry from another
-- request. Responses up to 256 KiB are stored; for larger ones only the fact.
CREATE TABLE IF NOT EXISTS idempotency (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  key_id TEXT NOT NULL,
  route TEXT NOT NULL,
  idempotency_key TEXT NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
  body_digest TEXT NOT NULL CHECK (length(body_digest) = 64),
  request_id TEXT NOT NULL CHECK (request_id GLOB 'req_*'),
  state TEXT NOT NULL CHECK (state IN ('running', 'answered', 'too_large')),
  answer TEXT,
  created_at INTEGER NOT NULL CHECK (created_at >= 0),
  -- Time after which a running request counts as failed.
  deadline INTEGER NOT NULL CHECK (deadline >= 0),
  expires_at INTEGER NOT NULL CHECK (expires_at >= 0),
  PRIMARY KEY (tenant_id, key_id, route, idempotency_key),
  CHECK ((state = 'answered') = (answer IS NOT NULL))
) STRICT;

-- Deletion of expired rows.
CREATE INDEX IF NOT EXISTS idempotency_by_expiry ON idempotency (expires_at);
