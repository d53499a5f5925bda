//! Emptying and deleting sessions.

use clawless_core::{SessionId, TenantId, Timestamp};

use super::found::find;
use super::{
    SOFT_DELETE, SOFT_DELETE_EXPIRED, DELETE_EXPIRED_TOOL_EXECUTIONS, DELETE_EXPIRED_TURNS,
    DELETE_TOOL_EXECUTIONS, DELETE_TURNS, EMPTY, PURGE_ACROSS_TENANTS,
};
use crate::ports::{Sql, SqlError};
use crate::statement::SqlText;

/// Forgets everything that was said in a session, and keeps the session; `false` where there is
/// none. Its head moves on: a turn that is still running will not be stored.
pub async fn reset(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, SqlError> {
    empty(sql, tenant, id, now, EMPTY).await
}

/// Deletes a session and all that was said and done in it; `false` where there is none. Its name
/// and its head stay until [`purge_across_tenants`] takes them.
pub async fn delete(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, SqlError> {
    empty(sql, tenant, id, now, SOFT_DELETE).await
}

/// Takes away all that a session holds, and does to its row what `last` says; `false` where there
/// is none. What a tool was given or answered may repeat what was said, so it goes too.
async fn empty(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
    last: SqlText,
) -> Result<bool, SqlError> {
    if find(sql, tenant, id, now).await?.is_none() {
        return Ok(false);
    }
    let batch = vec![
        DELETE_TURNS.with([tenant.into(), id.into()]),
        DELETE_TOOL_EXECUTIONS.with([tenant.into(), id.into()]),
        last.with([tenant.into(), id.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(true)
}

/// As [`delete`], if the session has expired.
pub(super) async fn bury_expired(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<(), SqlError> {
    let of = [DELETE_EXPIRED_TURNS, DELETE_EXPIRED_TOOL_EXECUTIONS, SOFT_DELETE_EXPIRED];
    let batch = of.map(|statement| statement.with([tenant.into(), id.into(), now.into()]));
    sql.batch(batch.into()).await
}

/// Removes what deleted sessions left, if they were deleted before the given moment: one so long
/// ago that no turn of them can be running, and no copy of their history be alive.
pub async fn purge_across_tenants(sql: &impl Sql, before: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![PURGE_ACROSS_TENANTS.with([before.into()])])
        .await
}
