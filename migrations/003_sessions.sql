-- Sessions: conversations that the server remembers.
--
-- `head` names the state of a session's history. It only ever grows: a turn moves it, and so does
-- everything else that changes the history (reset, the deletion of a message or of the session).
-- So a copy of the history that was taken under a head is either right or never asked for again.
--
-- A deleted session leaves an empty row behind (`deleted_at`), for as long as a copy or a late
-- turn of it may be about: a new session of the same name goes on from its head.
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

-- GET /v1/sessions: newest first, page by page.
CREATE INDEX IF NOT EXISTS sessions_by_age ON sessions (tenant_id, created_at, id)
  WHERE deleted_at IS NULL;

-- Purging what deleted sessions left.
CREATE INDEX IF NOT EXISTS sessions_deleted ON sessions (deleted_at) WHERE deleted_at IS NOT NULL;
