//! Deleting one message.

use clawless_core::{MessageId, SessionId, Storage, TenantId, Timestamp};
use serde::Deserialize;

use super::statements::{DELETE_MESSAGE, POSITION, RECOUNT, SHRINK_TURN};
use crate::ports::{Sql, SqlError};

/// Deletes a message from its session and returns its amounts; `None` if it does not exist. The
/// session's head moves, and its stored tokens shrink. The usage of the turn does not change.
pub async fn remove(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    id: &MessageId,
    now: Timestamp,
) -> Result<Option<Storage>, SqlError> {
    #[derive(Deserialize)]
    struct Length {
        bytes: u64,
    }
    let find = POSITION.with([tenant.into(), session.into(), id.into()]);
    let Some(Length { bytes }) = sql.query(find).await?.into_iter().next() else {
        return Ok(None);
    };
    let batch = vec![
        SHRINK_TURN.with([tenant.into(), session.into(), id.into(), bytes.into()]),
        DELETE_MESSAGE.with([tenant.into(), session.into(), id.into()]),
        RECOUNT.with([tenant.into(), session.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(Some(Storage {
        sessions: 0,
        messages: 1,
        bytes,
    }))
}
