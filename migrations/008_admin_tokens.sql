-- Tokens of operators. They belong to no tenant and grant access to the admin API only.
CREATE TABLE IF NOT EXISTS admin_tokens (
  id TEXT NOT NULL PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE CHECK (length(digest) = 64 AND digest NOT GLOB '*[^0-9a-f]*'),
  name TEXT NOT NULL CHECK (length(name) <= 200),
  expires_at INTEGER CHECK (expires_at >= 0),
  revoked_at INTEGER CHECK (revoked_at >= 0),
  created_at INTEGER NOT NULL CHECK (created_at >= 0)
) STRICT;
