-- API keys of tenants. The key itself is not stored, only its SHA-256 in lower-case hexadecimal.
--
-- `digest` is unique across all tenants; the tenant of a key is found by its digest only.
-- A rotated key keeps its row: `expires_at` ends its grace period, `successor_id` refers to the new
-- key. `last_used_at` is approximate: it is not written with every request.
CREATE TABLE IF NOT EXISTS api_keys (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  id TEXT NOT NULL CHECK (id GLOB 'key_*'),
  digest TEXT NOT NULL UNIQUE CHECK (length(digest) = 64 AND digest NOT GLOB '*[^0-9a-f]*'),
  kind TEXT NOT NULL CHECK (kind IN ('secret', 'public')),
  name TEXT NOT NULL CHECK (length(name) <= 200),
  scopes TEXT NOT NULL CHECK (json_valid(scopes) AND json_type(scopes) = 'array'),
  allowed_origins TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(allowed_origins) AND json_type(allowed_origins) = 'array'),
  expires_at INTEGER CHECK (expires_at >= 0),
  revoked_at INTEGER CHECK (revoked_at >= 0),
  successor_id TEXT,
  last_used_at INTEGER CHECK (last_used_at >= 0),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at INTEGER NOT NULL CHECK (created_at >= 0),
  PRIMARY KEY (tenant_id, id)
) STRICT;
