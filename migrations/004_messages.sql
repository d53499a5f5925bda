-- Turns and their messages.
--
-- A turn is what one request added to a session: the request's messages and the answer. The primary
-- key prevents two turns at the same position: the batch of a late turn fails as a whole. The request
-- id is unique, so storing a turn twice has no effect.
--
-- An interrupted turn is stored as `incomplete`, with the received text and the reason. Usage is that
-- of the whole call; `stored_tokens` is what the turn added to the history, `stored_bytes` the size
-- of its messages.
CREATE TABLE IF NOT EXISTS turns (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  session_id TEXT NOT NULL,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  request_id TEXT NOT NULL CHECK (request_id GLOB 'req_*'),
  key_id TEXT,
  status TEXT NOT NULL CHECK (status IN ('complete', 'incomplete')),
  incomplete_reason TEXT,
  finish_reason TEXT,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
  completion_tokens INTEGER NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
  cached_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cached_tokens >= 0),
  reasoning_tokens INTEGER NOT NULL DEFAULT 0 CHECK (reasoning_tokens >= 0),
  cost_micro_dollars INTEGER NOT NULL DEFAULT 0 CHECK (cost_micro_dollars >= 0),
  provenance TEXT NOT NULL CHECK (provenance IN ('provider', 'counted', 'estimated', 'swept')),
  stored_tokens INTEGER NOT NULL DEFAULT 0 CHECK (stored_tokens >= 0),
  stored_bytes INTEGER NOT NULL DEFAULT 0 CHECK (stored_bytes >= 0),
  created_at INTEGER NOT NULL CHECK (created_at >= 0),
  PRIMARY KEY (tenant_id, session_id, seq),
  UNIQUE (tenant_id, request_id),
  FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE,
  CHECK ((status = 'incomplete') = (incomplete_reason IS NOT NULL))
) STRICT;

-- `content` is the whole message as JSON text, byte for byte as received.
CREATE TABLE IF NOT EXISTS messages (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  session_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL CHECK (position >= 0),
  id TEXT NOT NULL CHECK (id GLOB 'msg_*'),
  role TEXT NOT NULL
    CHECK (role IN ('developer', 'system', 'user', 'assistant', 'tool', 'function')),
  content TEXT NOT NULL CHECK (content <> ''),
  PRIMARY KEY (tenant_id, session_id, seq, position),
  -- DELETE /v1/sessions/{id}/messages/{id}
  UNIQUE (tenant_id, session_id, id),
  FOREIGN KEY (tenant_id, session_id, seq)
    REFERENCES turns (tenant_id, session_id, seq) ON DELETE CASCADE
) STRICT;
