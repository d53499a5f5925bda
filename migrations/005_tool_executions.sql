-- Executions of server tools, with request, arguments and result.
--
-- The sizes of arguments and results are limited before storage, so a row stays far below D1's 2 MB.
CREATE TABLE IF NOT EXISTS tool_executions (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  id TEXT NOT NULL CHECK (id GLOB 'tex_*'),
  session_id TEXT,
  request_id TEXT NOT NULL CHECK (request_id GLOB 'req_*'),
  call_id TEXT NOT NULL,
  tool TEXT NOT NULL,
  arguments TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('succeeded', 'failed', 'refused', 'timed_out')),
  result TEXT NOT NULL,
  started_at INTEGER NOT NULL CHECK (started_at >= 0),
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
) STRICT;

-- GET /v1/sessions/{id}/tool_executions; ids are sorted by time.
CREATE INDEX IF NOT EXISTS tool_executions_by_session
  ON tool_executions (tenant_id, session_id, id);
