-- Tenants and their settings.
--
-- Limits, quotas, models and prompts are members of `settings`, one JSON object, so that a new
-- setting needs no migration. `version` counts the changes of the row; the ledger compares it with
-- the version that a request was admitted with.
--
-- Foreign keys to this table do not cascade: a tenant's data is deleted table by table, and this row
-- last. If a table is missed, deleting this row fails.
CREATE TABLE IF NOT EXISTS tenants (
  id TEXT NOT NULL PRIMARY KEY CHECK (id GLOB 'ten_*'),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  tier TEXT NOT NULL CHECK (tier IN ('free', 'pro', 'enterprise')),
  status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'deleting')),
  settings TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(settings) AND json_type(settings) = 'object'),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at INTEGER NOT NULL CHECK (created_at >= 0),
  updated_at INTEGER NOT NULL CHECK (updated_at >= 0)
) STRICT;
