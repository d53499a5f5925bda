//! A tenant's data, deleted piece by piece: each small enough for one query, so that a large tenant
//! goes in many requests and an interrupted deletion is simply gone on with.

use clawless_core::{SessionId, TenantId, Timestamp};
use serde::Deserialize;
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
    /// By name, up to one that may be none.
    SESSION_IDS = "
        SELECT id FROM sessions WHERE tenant_id = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4";
    /// Of the sessions after one name and up to another.
    EMPTY_TURNS = "
        DELETE FROM turns WHERE tenant_id = ?1 AND session_id > ?2 AND session_id <= ?3";
    EMPTY_TOOL_EXECUTIONS = "
        DELETE FROM tool_executions
        WHERE tenant_id = ?1 AND session_id > ?2 AND session_id <= ?3";
    /// What waits for them, too: it would make them anew.
    EMPTY_SENDS = "
        DELETE FROM sends WHERE tenant_id = ?1 AND session_id > ?2 AND session_id <= ?3";
    /// As the sessions' own `SOFT_DELETE`: what remains is the name and its head.
    EMPTY_SESSIONS = "
        UPDATE sessions SET
          head = (head / 1048576 + 1) * 1048576, token_total = 0, title = NULL, metadata = '{}',
          system_prompt = NULL, model = NULL, thinking_level = NULL, tools = NULL,
          expires_at = NULL, deleted_at = ?4, updated_at = max(updated_at, ?4)
        WHERE tenant_id = ?1 AND id > ?2 AND id <= ?3 AND deleted_at IS NULL";
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

/// What an erasure of a tenant that stays takes beside its sessions: tool executions of stateless
/// calls, and answers that are kept for whoever asks the same again.
const BESIDE_SESSIONS: [SqlText; 2] = [TOOL_EXECUTIONS, IDEMPOTENCY];

/// Deletes rows of a tenant, up to `pieces` times up to `rows` of them; `true` once there are none
/// left but the tenant's own.
pub async fn erase_some(
    sql: &impl Sql,
    tenant: &TenantId,
    pieces: u32,
    rows: u32,
) -> Result<bool, SqlError> {
    erase_from(&ORDER, sql, tenant, pieces, rows).await
}

/// As [`erase_some`], of what a tenant that stays has stored beside its sessions.
pub async fn erase_beside_sessions(
    sql: &impl Sql,
    tenant: &TenantId,
    pieces: u32,
    rows: u32,
) -> Result<bool, SqlError> {
    erase_from(&BESIDE_SESSIONS, sql, tenant, pieces, rows).await
}

/// The names of a tenant's sessions after one, even of those that were deleted and of which somebody
/// may still have a copy: so an interrupted erasure may be repeated.
pub async fn session_ids(
    sql: &impl Sql,
    tenant: &TenantId,
    after: &str,
    limit: u32,
) -> Result<Vec<SessionId>, SqlError> {
    ids(sql, tenant, after, END, limit).await
}

/// Deletes the sessions after a name and up to another, as [`crate::sessions::delete`] would each.
/// Gives their names: one may have been made among them since somebody looked.
pub async fn empty_sessions(
    sql: &impl Sql,
    tenant: &TenantId,
    after: &str,
    last: &SessionId,
    now: Timestamp,
) -> Result<Vec<SessionId>, SqlError> {
    let of = |text: SqlText| text.with([tenant.into(), after.into(), last.into()]);
    let batch = vec![
        of(EMPTY_SENDS),
        of(EMPTY_TURNS),
        of(EMPTY_TOOL_EXECUTIONS),
        EMPTY_SESSIONS.with([tenant.into(), after.into(), last.into(), now.into()]),
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

/// Sorts after every session's name.
const END: &str = "~";

async fn erase_from(
    tables: &[SqlText],
    sql: &impl Sql,
    tenant: &TenantId,
    mut pieces: u32,
    rows: u32,
) -> Result<bool, SqlError> {
    for table in tables {
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
