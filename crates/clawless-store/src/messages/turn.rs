//! Single messages: those of one turn, and the one that contains a text.

use clawless_core::chat::{Message, Role};
use clawless_core::json::Json;
use clawless_core::{MessageId, SessionId, TenantId};
use serde::Deserialize;

use super::statements::{CONTAINING, ECHO_OF_TURN, OF_TURN};
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::turns::StoredTurn;

/// A stored message and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The message's id.
    pub id: MessageId,
    /// The message.
    pub message: Message,
}

/// The content of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TurnContent {
    /// What its response repeats of the request, if its surface has such members.
    pub echo: Option<Json>,
    /// Its messages, in order.
    pub messages: Vec<StoredMessage>,
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

/// The content of one turn; empty if the turn does not exist. `room` makes room for its bytes before they are
/// read.
///
/// # Errors
/// Those of `room` and of the database.
pub async fn of_turn<E: From<SqlError>>(
    sql: &impl Sql,
    tenant: &TenantId,
    turn: &StoredTurn,
    room: impl FnOnce(u64) -> Result<(), E>,
) -> Result<TurnContent, E> {
    #[derive(Deserialize)]
    struct Row {
        id: MessageId,
        role: Role,
        content: String,
    }
    #[derive(Deserialize)]
    struct EchoRow {
        echo: String,
    }
    room(turn.stored_bytes)?;
    let params = || [tenant.into(), (&turn.session).into(), turn.head.into()];
    let rows: Vec<Row> = sql.query(OF_TURN.with(params())).await?;
    let parse = |row: Row| {
        let raw = row::raw_json("messages.content", row.content)?;
        Ok(StoredMessage {
            id: row.id,
            message: Message::from_stored(row.role, raw),
        })
    };
    let messages: Result<_, SqlError> = rows.into_iter().map(parse).collect();
    let mut content = TurnContent {
        messages: messages?,
        echo: None,
    };
    if turn.has_echo {
        let rows: Vec<EchoRow> = sql.query(ECHO_OF_TURN.with(params())).await?;
        let echo = rows.into_iter().next();
        let echo = echo.map(|row| row::raw_json("turns.echo", row.echo));
        content.echo = echo.transpose()?;
    }
    Ok(content)
}
