//! Deleting one message.

use clawless_core::{MessageId, SessionId, TenantId, Timestamp};
use serde::Deserialize;

use super::{COUNT_AGAIN, DELETE_MESSAGE, PLACE, SHRINK_TURN};
use crate::ports::{Sql, SqlError};

/// Deletes a message from its session; `false` where there is none. The session's head moves on,
/// and its history counts as much shorter as the message was long. What the turn used stays in the
/// books.
pub async fn remove(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    id: &MessageId,
    now: Timestamp,
) -> Result<bool, SqlError> {
    #[derive(Deserialize)]
    struct Length {
        bytes: u64,
    }
    let find = PLACE.with([tenant.into(), session.into(), id.into()]);
    let Some(Length { bytes }) = sql.query(find).await?.into_iter().next() else {
        return Ok(false);
    };
    let batch = vec![
        SHRINK_TURN.with([tenant.into(), session.into(), id.into(), bytes.into()]),
        DELETE_MESSAGE.with([tenant.into(), session.into(), id.into()]),
        COUNT_AGAIN.with([tenant.into(), session.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(true)
}
