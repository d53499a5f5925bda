-- Messages that sessions send each other, from before their receipt until a day after their end.
--
-- The row is the message: what the queue carries is its name. `request_id` is the try that runs, or
-- ran last; only its turn is stored, and in the transaction that stores it the message comes to its
-- end. The text is kept until then; afterwards it stands in the session, or nowhere.
--
-- `origin` is the request that the sending turn answers, or the message that it answers: a turn that
-- is run again, because its first run died, says nothing twice. `path` holds the sessions that wait
-- or may wait for this message, the sender last.
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

-- How many of a tenant's are under way.
CREATE INDEX IF NOT EXISTS sends_under_way ON sends (tenant_id) WHERE ended_at IS NULL;

-- Those that the queue may have lost.
CREATE INDEX IF NOT EXISTS sends_waiting ON sends (updated_at) WHERE ended_at IS NULL;

-- Forgetting those that ended.
CREATE INDEX IF NOT EXISTS sends_ended ON sends (ended_at) WHERE ended_at IS NOT NULL;

-- What goes with a session.
CREATE INDEX IF NOT EXISTS sends_by_session ON sends (tenant_id, session_id);
