//! Resetting and deleting sessions.

use clawless_core::{SessionId, Storage, TenantId, Timestamp};

use super::lookup::look_up;
use super::statements::{
    DELETE_TOOL_EXECUTIONS, DELETE_TURNS, PURGE_ACROSS_TENANTS, RESET, SOFT_DELETE,
};
use crate::ports::{Sql, SqlError, SqlText};
use crate::storage::{self, SessionStorage};
use crate::widget_sessions;

/// Deletes a session's history but not the session, and returns what was deleted; `None` if it does
/// not exist. The head moves, so that a running turn is not stored.
pub async fn reset(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Storage>, SqlError> {
    let cleared = clear(sql, tenant, id, now, RESET).await?;
    Ok(cleared.map(|content| content.history))
}

/// Deletes a session with its history, its tool executions and its visitor, and returns what was deleted; `None` if it
/// does not exist. Its name and its head remain until [`purge_across_tenants`].
pub async fn delete(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Storage>, SqlError> {
    let cleared = clear(sql, tenant, id, now, SOFT_DELETE).await?;
    // A visitor may have opened a session without a turn.
    sql.batch(vec![widget_sessions::forget(tenant, id)]).await?;
    Ok(cleared.map(|content| content.all()))
}

/// Deletes a session's turns and tool executions, which may quote its messages, and runs `update`
/// on its row. Returns its content; `None` if it does not exist.
async fn clear(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
    update: SqlText,
) -> Result<Option<SessionStorage>, SqlError> {
    let Some(content) = storage::of_session(sql, tenant, id, now).await? else {
        // Deletes an expired session.
        look_up(sql, tenant, id, now).await?;
        return Ok(None);
    };
    let batch = vec![
        DELETE_TURNS.with([tenant.into(), id.into()]),
        DELETE_TOOL_EXECUTIONS.with([tenant.into(), id.into()]),
        update.with([tenant.into(), id.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(Some(content))
}

/// Removes the rows of sessions that were deleted before `before`, which must be long enough ago
/// that none of their turns runs and no copy of them is cached.
pub async fn purge_across_tenants(sql: &impl Sql, before: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![PURGE_ACROSS_TENANTS.with([before.into()])])
        .await
}
