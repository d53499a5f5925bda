-- The audit log: every change by an operator. It is append-only and kept after its tenants are
-- deleted, so it has no foreign keys.
CREATE TABLE IF NOT EXISTS audit_log (
  id TEXT NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL CHECK (at >= 0),
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  tenant_id TEXT,
  target TEXT,
  before_json TEXT CHECK (before_json IS NULL OR json_valid(before_json)),
  after_json TEXT CHECK (after_json IS NULL OR json_valid(after_json)),
  request_id TEXT NOT NULL
) STRICT;

-- GET /admin/audit for one tenant; ids are sorted by time.
CREATE INDEX IF NOT EXISTS audit_log_by_tenant ON audit_log (tenant_id, id);

CREATE TRIGGER IF NOT EXISTS audit_log_is_never_changed BEFORE UPDATE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;

CREATE TRIGGER IF NOT EXISTS audit_log_is_never_deleted BEFORE DELETE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;
