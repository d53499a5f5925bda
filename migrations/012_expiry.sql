-- Deletion of expired sessions: sessions with an expiry, by its time.
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at)
  WHERE expires_at IS NOT NULL AND deleted_at IS NULL;

-- Deletion of the stored answers of expired turns, by their requests.
CREATE INDEX IF NOT EXISTS idempotency_by_request ON idempotency (tenant_id, request_id);
