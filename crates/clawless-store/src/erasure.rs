//! A tenant's data, deleted piece by piece: each small enough for one query, so that a large tenant
//! goes in many requests and an interrupted deletion is simply gone on with.

use clawless_core::TenantId;
use serde::de::IgnoredAny;

use crate::audit::{AuditEntry, noting};
use crate::ports::{Sql, SqlError};
use crate::statement::{SqlText, statements};

statements! {
    SENDS = "
        DELETE FROM sends WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM sends WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS gone";
    TOOL_EXECUTIONS = "
        DELETE FROM tool_executions WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM tool_executions WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS gone";
    /// Their messages go with them.
    TURNS = "
        DELETE FROM turns WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM turns WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS gone";
    SESSIONS = "
        DELETE FROM sessions WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM sessions WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS gone";
    IDEMPOTENCY = "
        DELETE FROM idempotency WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM idempotency WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS gone";
    RECEIPTS = "
        DELETE FROM receipts WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM receipts WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS gone";
    API_KEYS = "
        DELETE FROM api_keys WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM api_keys WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS gone";
    TENANT = "DELETE FROM tenants WHERE id = ?1";
}

/// The order: whatever refers to another goes before it.
const ORDER: [SqlText; 7] = [
    SENDS,
    TOOL_EXECUTIONS,
    TURNS,
    SESSIONS,
    IDEMPOTENCY,
    RECEIPTS,
    API_KEYS,
];

/// Deletes rows of a tenant, up to `pieces` times up to `rows` of them; `true` once there are none
/// left but the tenant's own.
pub async fn erase_some(
    sql: &impl Sql,
    tenant: &TenantId,
    mut pieces: u32,
    rows: u32,
) -> Result<bool, SqlError> {
    for table in ORDER {
        loop {
            if pieces == 0 {
                return Ok(false);
            }
            let delete = table.with([tenant.into(), rows.into()]);
            let gone: Vec<IgnoredAny> = sql.query(delete).await?;
            if gone.is_empty() {
                break;
            }
            pieces -= 1;
        }
    }
    Ok(true)
}

/// Deletes the tenant itself, with the last line about it in the audit log. The database refuses
/// while anything refers to it: a turn that was stored meanwhile wants [`erase_some`] once more.
pub async fn finish(
    sql: &impl Sql,
    tenant: &TenantId,
    audit: &AuditEntry,
) -> Result<(), SqlError> {
    let batch = vec![TENANT.with([tenant.into()]), noting(tenant, audit)];
    sql.batch(batch).await
}
