//! Single messages: those of one turn, and the one that contains a text.

use clawless_core::chat::{Message, Role};
use clawless_core::session::SessionHead;
use clawless_core::{MessageId, SessionId, TenantId};
use serde::Deserialize;

use super::statements::{CONTAINING, OF_TURN};
use crate::ports::{Sql, SqlError};
use crate::row;

/// A stored message and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The message's id.
    pub id: MessageId,
    /// The message.
    pub message: Message,
}

/// The id of the first message of a session whose JSON contains `text`.
pub async fn containing(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    text: &str,
) -> Result<Option<MessageId>, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        id: MessageId,
    }
    let query = CONTAINING.with([tenant.into(), session.into(), text.into()]);
    let rows: Vec<Row> = sql.query(query).await?;
    Ok(rows.into_iter().next().map(|row| row.id))
}

/// The messages of one turn, in order; none if the turn does not exist.
pub async fn of_turn(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    turn: SessionHead,
) -> Result<Vec<StoredMessage>, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        id: MessageId,
        role: Role,
        content: String,
    }
    let query = OF_TURN.with([tenant.into(), session.into(), turn.into()]);
    let rows: Vec<Row> = sql.query(query).await?;
    let parse = |row: Row| {
        Ok(StoredMessage {
            id: row.id,
            message: Message::from_stored(
                row.role,
                row::raw_json("messages.content", row.content)?,
            ),
        })
    };
    rows.into_iter().map(parse).collect()
}
