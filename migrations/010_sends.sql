-- Messages between sessions, kept from before their delivery until one day after their end.
--
-- The row is the message; the queue carries its id only. `request_id` is the current or last try; only
-- its turn is stored, and the same transaction ends the message. The text is deleted at the end;
-- a delivered text is part of the session.
--
-- `origin` is the request or message that the sending turn answers: a turn that is run again after a
-- crash does not send a message twice. `path` lists the sessions that wait or may wait for this
-- message, the sender last.
CREATE TABLE IF NOT EXISTS sends (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  id TEXT NOT NULL CHECK (id GLOB 'snd_*'),
  session_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  origin TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 64),
  path TEXT NOT NULL CHECK (json_valid(path) AND json_type(path) = 'array'),
  hops INTEGER NOT NULL CHECK (hops >= 1),
  message TEXT,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'delivered', 'replied', 'failed')),
  reason TEXT,
  request_id TEXT CHECK (request_id GLOB 'req_*'),
  tries INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  created_at INTEGER NOT NULL CHECK (created_at >= 0),
  updated_at INTEGER NOT NULL CHECK (updated_at >= 0),
  ended_at INTEGER CHECK (ended_at >= 0),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, origin, session_id, digest),
  FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, key_id) REFERENCES api_keys (tenant_id, id),
  CHECK ((state IN ('queued', 'running')) = (ended_at IS NULL)),
  CHECK ((message IS NULL) = (ended_at IS NOT NULL)),
  CHECK (state <> 'running' OR request_id IS NOT NULL),
  CHECK (state NOT IN ('delivered', 'failed') OR reason IS NOT NULL)
) STRICT;

-- Number of a tenant's messages in progress.
CREATE INDEX IF NOT EXISTS sends_under_way ON sends (tenant_id) WHERE ended_at IS NULL;

-- Messages that the queue may have lost.
CREATE INDEX IF NOT EXISTS sends_waiting ON sends (updated_at) WHERE ended_at IS NULL;

-- Deletion of ended messages.
CREATE INDEX IF NOT EXISTS sends_ended ON sends (ended_at) WHERE ended_at IS NOT NULL;

-- Deletion with a session.
CREATE INDEX IF NOT EXISTS sends_by_session ON sends (tenant_id, session_id);
