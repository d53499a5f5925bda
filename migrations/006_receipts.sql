-- Receipts: the outcome of each admitted call, for reports. The ledger is authoritative; this is its
-- copy, written in batches afterwards.
--
-- One row per request: a higher `revision` replaces a lower one (a late settlement corrects the
-- receipt of a sweep). `period` is the charged UTC month, such as `2026-01`. The charge beyond the
-- reservation is the excess. A receipt is kept after its session and key are deleted.
CREATE TABLE IF NOT EXISTS receipts (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  request_id TEXT NOT NULL CHECK (request_id GLOB 'req_*'),
  revision INTEGER NOT NULL CHECK (revision >= 0),
  key_id TEXT NOT NULL,
  session_id TEXT,
  model TEXT NOT NULL,
  period TEXT NOT NULL CHECK (period GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
  granted_at INTEGER NOT NULL CHECK (granted_at >= 0),
  closed_at INTEGER NOT NULL CHECK (closed_at >= 0),
  reserved_messages INTEGER NOT NULL CHECK (reserved_messages >= 0),
  reserved_tokens INTEGER NOT NULL CHECK (reserved_tokens >= 0),
  reserved_micro_dollars INTEGER NOT NULL CHECK (reserved_micro_dollars >= 0),
  charged_messages INTEGER NOT NULL CHECK (charged_messages >= 0),
  charged_tokens INTEGER NOT NULL CHECK (charged_tokens >= 0),
  charged_micro_dollars INTEGER NOT NULL CHECK (charged_micro_dollars >= 0),
  tokens_in INTEGER NOT NULL CHECK (tokens_in >= 0),
  tokens_out INTEGER NOT NULL CHECK (tokens_out >= 0),
  provenance TEXT NOT NULL
    CHECK (provenance IN ('provider', 'counted', 'estimated', 'swept', 'released')),
  PRIMARY KEY (tenant_id, request_id)
) STRICT;

-- GET /admin/tenants/{id}/usage: by day, model and key.
CREATE INDEX IF NOT EXISTS receipts_by_day ON receipts (tenant_id, closed_at);
