//! Resetting and deleting sessions.

use clawless_core::{SessionId, TenantId, Timestamp};

use super::lookup::find;
use super::statements::{
    DELETE_TOOL_EXECUTIONS, DELETE_TURNS, PURGE_ACROSS_TENANTS, RESET, SOFT_DELETE,
};
use crate::ports::{Sql, SqlError, SqlText};

/// Deletes a session's history but not the session; `false` if it does not exist. The head moves,
/// so that a running turn is not stored.
pub async fn reset(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, SqlError> {
    clear(sql, tenant, id, now, RESET).await
}

/// Deletes a session with its history and tool executions; `false` if it does not exist. Its name
/// and its head remain until [`purge_across_tenants`].
pub async fn delete(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, SqlError> {
    clear(sql, tenant, id, now, SOFT_DELETE).await
}

/// Deletes a session's turns and tool executions, which may quote its messages, and runs `update`
/// on its row; `false` if it does not exist.
async fn clear(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
    update: SqlText,
) -> Result<bool, SqlError> {
    if find(sql, tenant, id, now).await?.is_none() {
        return Ok(false);
    }
    let batch = vec![
        DELETE_TURNS.with([tenant.into(), id.into()]),
        DELETE_TOOL_EXECUTIONS.with([tenant.into(), id.into()]),
        update.with([tenant.into(), id.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(true)
}

/// Removes the rows of sessions that were deleted before `before`, which must be long enough ago
/// that none of their turns runs and no copy of them is cached.
pub async fn purge_across_tenants(sql: &impl Sql, before: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![PURGE_ACROSS_TENANTS.with([before.into()])])
        .await
}
