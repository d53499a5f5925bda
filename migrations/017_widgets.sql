-- The widget of a public key: its settings and its logo. The logo is base64 and is only read by its
-- digest, which is part of its URL.
CREATE TABLE IF NOT EXISTS widgets (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  key_id TEXT NOT NULL CHECK (key_id GLOB 'key_*'),
  settings TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(settings) AND json_type(settings) = 'object'),
  logo TEXT,
  logo_type TEXT,
  logo_digest TEXT CHECK (length(logo_digest) = 64 AND logo_digest NOT GLOB '*[^0-9a-f]*'),
  updated_at INTEGER NOT NULL CHECK (updated_at >= 0),
  PRIMARY KEY (tenant_id, key_id),
  CHECK ((logo IS NULL) = (logo_type IS NULL) AND (logo IS NULL) = (logo_digest IS NULL))
) STRICT;

-- GET /widget/logos/{digest}.
CREATE INDEX IF NOT EXISTS widgets_by_logo ON widgets (logo_digest) WHERE logo_digest IS NOT NULL;

-- The visitors of the widget: who may continue a session. The visitor's secret is not stored, only its
-- SHA-256. A row exists from the moment that the widget is opened, the session from its first turn on.
CREATE TABLE IF NOT EXISTS widget_sessions (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  session_id TEXT NOT NULL CHECK (length(session_id) BETWEEN 1 AND 128),
  key_id TEXT NOT NULL CHECK (key_id GLOB 'key_*'),
  visitor_hash TEXT NOT NULL CHECK (length(visitor_hash) = 64 AND visitor_hash NOT GLOB '*[^0-9a-f]*'),
  -- The signed-in user at the site; NULL for an anonymous visitor.
  user_id TEXT,
  created_at INTEGER NOT NULL CHECK (created_at >= 0),
  expires_at INTEGER NOT NULL CHECK (expires_at >= 0),
  PRIMARY KEY (tenant_id, session_id)
) STRICT;

-- Deletion of expired rows.
CREATE INDEX IF NOT EXISTS widget_sessions_by_expiry ON widget_sessions (expires_at);
