//! Usage by day, model and key: sums over the receipts stored so far.

use clawless_core::usage_report::{DayUsage, TenantUsage};
use clawless_core::{TenantId, Timestamp};

use crate::page;
use crate::ports::{Sql, SqlError};
use crate::statements::statements;

statements! {
    /// Days are in UTC.
    BY_DAY_MODEL_AND_KEY = "
        SELECT date(closed_at / 1000, 'unixepoch') AS day, model, key_id,
               sum(charged_messages) AS messages, sum(tokens_in) AS tokens_in,
               sum(tokens_out) AS tokens_out, sum(charged_tokens) AS tokens,
               sum(charged_micro_dollars) AS micro_dollars
        FROM receipts WHERE tenant_id = ?1 AND closed_at >= ?2 AND closed_at < ?3
        GROUP BY day, model, key_id ORDER BY day, model, key_id LIMIT ?4";
    BY_TENANT_ACROSS_TENANTS = "
        SELECT t.id AS tenant_id, coalesce(sum(r.charged_messages), 0) AS messages,
               coalesce(sum(r.tokens_in), 0) AS tokens_in,
               coalesce(sum(r.tokens_out), 0) AS tokens_out,
               coalesce(sum(r.charged_tokens), 0) AS tokens,
               coalesce(sum(r.charged_micro_dollars), 0) AS micro_dollars
        FROM tenants t LEFT JOIN receipts r
          ON r.tenant_id = t.id AND r.closed_at >= ?2 AND r.closed_at < ?3
        WHERE t.id > ?1 GROUP BY t.id ORDER BY t.id LIMIT ?4";
}

/// A tenant's usage from `from` to before `to`, in up to `limit` lines.
pub async fn by_day_model_and_key(
    sql: &impl Sql,
    tenant: &TenantId,
    (from, to): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<DayUsage>, SqlError> {
    let params = [tenant.into(), from.into(), to.into(), limit.into()];
    let query = BY_DAY_MODEL_AND_KEY.with(params);
    sql.query(query).await
}

/// The usage of up to `limit` tenants after `after`, from `from` to before `to`.
pub async fn by_tenant_across_tenants(
    sql: &impl Sql,
    after: Option<&TenantId>,
    (from, to): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<TenantUsage>, SqlError> {
    let params = [page::after(after), from.into(), to.into(), limit.into()];
    sql.query(BY_TENANT_ACROSS_TENANTS.with(params)).await
}
