-- Sessions: conversations stored by the server.
--
-- `head` is the version of a session's history. It never decreases: every turn and every other
-- change (reset, deletion of a message or of the session) increments it. A cached copy of the
-- history is therefore valid for its head, and is not read under another head.
--
-- A deleted session keeps an empty row (`deleted_at`) while cached copies or late turns may exist: a
-- new session with the same id continues from its head.
CREATE TABLE IF NOT EXISTS sessions (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
  title TEXT,
  metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  system_prompt TEXT,
  model TEXT,
  thinking_level TEXT,
  tools TEXT CHECK (tools IS NULL OR (json_valid(tools) AND json_type(tools) = 'array')),
  head INTEGER NOT NULL DEFAULT 0 CHECK (head >= 0),
  token_total INTEGER NOT NULL DEFAULT 0 CHECK (token_total >= 0),
  expires_at INTEGER CHECK (expires_at >= 0),
  deleted_at INTEGER CHECK (deleted_at >= 0),
  created_at INTEGER NOT NULL CHECK (created_at >= 0),
  updated_at INTEGER NOT NULL CHECK (updated_at >= 0),
  PRIMARY KEY (tenant_id, id)
) STRICT;

-- GET /v1/sessions: newest first, paged.
CREATE INDEX IF NOT EXISTS sessions_by_age ON sessions (tenant_id, created_at, id)
  WHERE deleted_at IS NULL;

-- Purge of deleted sessions.
CREATE INDEX IF NOT EXISTS sessions_deleted ON sessions (deleted_at) WHERE deleted_at IS NOT NULL;
