//! Deletes a tenant's data in batches, each small enough for one query: a large tenant takes
//! several requests, and an interrupted deletion can be resumed.

use clawless_core::{SessionId, TenantId, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::audit::{self, AuditEntry};
use crate::page;
use crate::ports::{Sql, SqlError, SqlText};
use crate::statements::{soft_deleted, statements};

statements! {
    SENDS = "
        DELETE FROM sends WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM sends WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    TOOL_EXECUTIONS = "
        DELETE FROM tool_executions WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM tool_executions WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    /// Cascades to their messages.
    TURNS = "
        DELETE FROM turns WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM turns WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    SESSIONS = "
        DELETE FROM sessions WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM sessions WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    IDEMPOTENCY = "
        DELETE FROM idempotency WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM idempotency WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    RECEIPTS = "
        DELETE FROM receipts WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM receipts WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    WIDGETS = "
        DELETE FROM widgets WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM widgets WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    WIDGET_SESSIONS = "
        DELETE FROM widget_sessions WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM widget_sessions WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    API_KEYS = "
        DELETE FROM api_keys WHERE tenant_id = ?1 AND rowid IN
          (SELECT rowid FROM api_keys WHERE tenant_id = ?1 LIMIT ?2) RETURNING 1 AS deleted";
    TENANT = "DELETE FROM tenants WHERE id = ?1";
    /// The admin tokens that are bound to the tenant.
    REVOKE_TOKENS = "
        UPDATE admin_tokens SET revoked_at = ?2
        WHERE role = 'tenant_admin:' || ?1 AND revoked_at IS NULL";
    /// By name, in a range.
    SESSION_IDS = "
        SELECT id FROM sessions WHERE tenant_id = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4";
    /// Of a range of sessions.
    CLEAR_TURNS = "
        DELETE FROM turns WHERE tenant_id = ?1 AND session_id > ?2 AND session_id <= ?3";
    CLEAR_TOOL_EXECUTIONS = "
        DELETE FROM tool_executions
        WHERE tenant_id = ?1 AND session_id > ?2 AND session_id <= ?3";
    /// Pending messages too: they would create the sessions again.
    CLEAR_SENDS = "
        DELETE FROM sends WHERE tenant_id = ?1 AND session_id > ?2 AND session_id <= ?3";
    /// The names and their heads remain.
    CLEAR_SESSIONS = concat!("
        UPDATE sessions SET ", soft_deleted!("?4"), "
        WHERE tenant_id = ?1 AND id > ?2 AND id <= ?3 AND deleted_at IS NULL");
}

/// Every table, children before parents.
const TABLES: [SqlText; 9] = [
    SENDS,
    TOOL_EXECUTIONS,
    TURNS,
    SESSIONS,
    IDEMPOTENCY,
    RECEIPTS,
    WIDGET_SESSIONS,
    WIDGETS,
    API_KEYS,
];

/// Tables with rows that may belong to no session: tool executions of stateless requests, responses
/// stored for idempotency keys, and visitors who have not written yet.
const SESSIONLESS_TABLES: [SqlText; 3] = [TOOL_EXECUTIONS, IDEMPOTENCY, WIDGET_SESSIONS];

/// Deletes a tenant's rows, in at most `max_batches` batches of at most `rows`; `true` once only
/// the tenant's record is left.
pub async fn erase_rows(
    sql: &impl Sql,
    tenant: &TenantId,
    max_batches: u32,
    rows: u32,
) -> Result<bool, SqlError> {
    erase_from(&TABLES, sql, tenant, max_batches, rows).await
}

/// As [`erase_rows`], for the rows that belong to no session. The tenant's record stays.
pub async fn erase_sessionless_rows(
    sql: &impl Sql,
    tenant: &TenantId,
    max_batches: u32,
    rows: u32,
) -> Result<bool, SqlError> {
    erase_from(&SESSIONLESS_TABLES, sql, tenant, max_batches, rows).await
}

/// Up to `limit` of a tenant's session ids after `after`. Deleted sessions are included because
/// caches may still hold copies of them, so an interrupted erasure can be repeated.
pub async fn session_ids(
    sql: &impl Sql,
    tenant: &TenantId,
    after: &str,
    limit: u32,
) -> Result<Vec<SessionId>, SqlError> {
    ids(sql, tenant, after, page::LAST, limit).await
}

/// Deletes the sessions after `after` up to `last`, each as [`crate::sessions::delete`] does.
/// Returns their ids, which include sessions that were created since the caller listed them.
pub async fn delete_sessions(
    sql: &impl Sql,
    tenant: &TenantId,
    after: &str,
    last: &SessionId,
    now: Timestamp,
) -> Result<Vec<SessionId>, SqlError> {
    let in_range = |text: SqlText| text.with([tenant.into(), after.into(), last.into()]);
    let batch = vec![
        in_range(CLEAR_SENDS),
        in_range(CLEAR_TURNS),
        in_range(CLEAR_TOOL_EXECUTIONS),
        CLEAR_SESSIONS.with([tenant.into(), after.into(), last.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    ids(sql, tenant, after, last.as_str(), u32::MAX).await
}

async fn ids(
    sql: &impl Sql,
    tenant: &TenantId,
    after: &str,
    last: &str,
    limit: u32,
) -> Result<Vec<SessionId>, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        id: SessionId,
    }
    let read = SESSION_IDS.with([tenant.into(), after.into(), last.into(), limit.into()]);
    let rows: Vec<Row> = sql.query(read).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn erase_from(
    tables: &[SqlText],
    sql: &impl Sql,
    tenant: &TenantId,
    mut max_batches: u32,
    rows: u32,
) -> Result<bool, SqlError> {
    for table in tables {
        loop {
            if max_batches == 0 {
                return Ok(false);
            }
            let delete = table.with([tenant.into(), rows.into()]);
            let deleted: Vec<IgnoredAny> = sql.query(delete).await?;
            if deleted.is_empty() {
                break;
            }
            max_batches -= 1;
        }
    }
    Ok(true)
}

/// Deletes the tenant's record, revokes the admin tokens that are bound to it, and writes the last audit
/// entry, after one for each of the tokens. Fails with a constraint while rows refer to it: after a
/// concurrent write, call [`erase_rows`] again.
pub async fn delete_tenant(
    sql: &impl Sql,
    tenant: &TenantId,
    revoked: &[AuditEntry],
    entry: &AuditEntry,
) -> Result<(), SqlError> {
    let mut batch = vec![TENANT.with([tenant.into()])];
    let revoked = revoked.iter();
    batch.extend(revoked.map(audit::insert_revocation_across_tenants));
    batch.push(REVOKE_TOKENS.with([tenant.into(), entry.at.into()]));
    batch.push(audit::insert(tenant, entry));
    sql.batch(batch).await
}
