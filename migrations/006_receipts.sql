-- Receipts: what each settled call cost, for reports. The ledger decides money; this is its copy,
-- written in batches after the fact, each request once.
--
-- `period` is the UTC month that was charged, as `2026-01`. `excess_tokens` is what a provider
-- used beyond what had been reserved. A receipt outlives its session and its key.
CREATE TABLE IF NOT EXISTS receipts (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  request_id TEXT NOT NULL CHECK (request_id GLOB 'req_*'),
  key_id TEXT,
  session_id TEXT,
  period TEXT NOT NULL CHECK (period GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
  model TEXT,
  provider TEXT,
  messages INTEGER NOT NULL DEFAULT 1 CHECK (messages >= 0),
  prompt_tokens INTEGER NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
  completion_tokens INTEGER NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
  cached_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cached_tokens >= 0),
  reasoning_tokens INTEGER NOT NULL DEFAULT 0 CHECK (reasoning_tokens >= 0),
  excess_tokens INTEGER NOT NULL DEFAULT 0 CHECK (excess_tokens >= 0),
  cost_micro_dollars INTEGER NOT NULL DEFAULT 0 CHECK (cost_micro_dollars >= 0),
  provenance TEXT NOT NULL CHECK (provenance IN ('provider', 'counted', 'estimated', 'swept')),
  settled_at INTEGER NOT NULL CHECK (settled_at >= 0),
  PRIMARY KEY (tenant_id, request_id)
) STRICT;

-- GET /admin/tenants/{id}/usage: by day, model and key.
CREATE INDEX IF NOT EXISTS receipts_by_day ON receipts (tenant_id, settled_at);
