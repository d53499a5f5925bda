//! Deleting one turn.

use clawless_core::session::SessionHead;
use clawless_core::{RequestId, SessionId, Storage, TenantId, Timestamp};
use serde::Deserialize;

use super::statements::{
    CONTENT_OF_TURN, DELETE_ANSWER, DELETE_TOOL_EXECUTIONS, DELETE_TURN, RECOUNT,
};
use crate::ports::{Sql, SqlError};

/// Deletes a turn with its messages, tool executions and the answer that is kept for repeats of its
/// request, and returns what was deleted; `None` if it does not exist. The session's head moves, and its stored tokens shrink.
pub async fn remove(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    turn: SessionHead,
    request: &RequestId,
    now: Timestamp,
) -> Result<Option<Storage>, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        stored_bytes: u64,
        messages: u64,
    }
    let find = CONTENT_OF_TURN.with([tenant.into(), session.into(), turn.into()]);
    let rows: Vec<Row> = sql.query(find).await?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(None);
    };
    let batch = vec![
        DELETE_TURN.with([tenant.into(), session.into(), turn.into()]),
        DELETE_TOOL_EXECUTIONS.with([tenant.into(), session.into(), request.into()]),
        DELETE_ANSWER.with([tenant.into(), request.into()]),
        RECOUNT.with([tenant.into(), session.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(Some(Storage {
        sessions: 0,
        messages: row.messages,
        bytes: row.stored_bytes,
    }))
}
