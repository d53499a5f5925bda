//! Messages: the history of a session, as it was said.

mod page;
mod removal;

pub use page::{ListedMessage, SortOrder, Page, MessagePosition, Range, page, place};
pub use removal::remove;

use clawless_core::chat::{Message, Role};
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_core::{MessageId, SessionId, TenantId};
use serde::{Deserialize, Serialize};

use crate::ports::{Sql, SqlError};
use crate::statement::statements;

statements! {
    /// The newest turns that fit, whole; the very newest even if it does not.
    HISTORY = "
        SELECT m.seq, m.role, m.content,
               (SELECT min(seq) FROM turns WHERE tenant_id = ?1 AND session_id = ?2) AS first_seq
        FROM messages m
        WHERE m.tenant_id = ?1 AND m.session_id = ?2 AND m.seq <= ?3 AND m.seq >= (
          SELECT min(seq) FROM (
            SELECT seq, stored_bytes, sum(stored_bytes) OVER (ORDER BY seq DESC) AS total_bytes
            FROM (
              SELECT seq, stored_bytes FROM turns
              WHERE tenant_id = ?1 AND session_id = ?2 AND seq <= ?3
              ORDER BY seq DESC LIMIT ?4
            )
          ) WHERE total_bytes <= ?5 OR total_bytes = stored_bytes
        )
        ORDER BY m.seq, m.position";
    OF_TURN = "
        SELECT id, role, content FROM messages
        WHERE tenant_id = ?1 AND session_id = ?2 AND seq = ?3 ORDER BY position";
    /// Between two places, neither of them included, from the earliest on, in any order: as many as
    /// fit, and the first even if it does not. `found` is how many there are, up to the limit.
    PAGE_FORWARD = "
        SELECT m.id, m.seq, m.position, m.role, m.content, t.request_id, t.incomplete_reason,
               t.model, t.created_at, sizes.found
        FROM (
          SELECT seq, position, bytes, count(*) OVER () AS found,
                 sum(bytes) OVER (ORDER BY seq, position) AS total_bytes
          FROM (
            SELECT seq, position, length(CAST(content AS BLOB)) AS bytes FROM messages
            WHERE tenant_id = ?1 AND session_id = ?2
              AND (seq, position) > (?3, ?4) AND (seq, position) < (?5, ?6)
            ORDER BY seq, position LIMIT ?7
          )
        ) sizes
        JOIN messages m ON m.session_id = ?2 AND m.seq = sizes.seq AND m.position = sizes.position
        JOIN turns t ON t.session_id = m.session_id AND t.seq = m.seq
        WHERE m.tenant_id = ?1 AND t.tenant_id = ?1
          AND (sizes.total_bytes <= ?8 OR sizes.total_bytes = sizes.bytes)";
    /// The same, from the latest on.
    PAGE_BACKWARD = "
        SELECT m.id, m.seq, m.position, m.role, m.content, t.request_id, t.incomplete_reason,
               t.model, t.created_at, sizes.found
        FROM (
          SELECT seq, position, bytes, count(*) OVER () AS found,
                 sum(bytes) OVER (ORDER BY seq DESC, position DESC) AS total_bytes
          FROM (
            SELECT seq, position, length(CAST(content AS BLOB)) AS bytes FROM messages
            WHERE tenant_id = ?1 AND session_id = ?2
              AND (seq, position) > (?3, ?4) AND (seq, position) < (?5, ?6)
            ORDER BY seq DESC, position DESC LIMIT ?7
          )
        ) sizes
        JOIN messages m ON m.session_id = ?2 AND m.seq = sizes.seq AND m.position = sizes.position
        JOIN turns t ON t.session_id = m.session_id AND t.seq = m.seq
        WHERE m.tenant_id = ?1 AND t.tenant_id = ?1
          AND (sizes.total_bytes <= ?8 OR sizes.total_bytes = sizes.bytes)";
    PLACE = "
        SELECT seq, position, length(CAST(content AS BLOB)) AS bytes FROM messages
        WHERE tenant_id = ?1 AND session_id = ?2 AND id = ?3";
    /// The turn becomes shorter by a message of ?4 bytes, and lighter in proportion. D1 binds numbers
    /// as reals, and a division of reals is no whole number.
    SHRINK_TURN = "
        UPDATE turns SET
          stored_tokens = stored_tokens
            - stored_tokens * CAST(?4 AS INTEGER) / max(stored_bytes, CAST(?4 AS INTEGER), 1),
          stored_bytes = max(stored_bytes - CAST(?4 AS INTEGER), 0)
        WHERE tenant_id = ?1 AND session_id = ?2 AND seq = (
          SELECT seq FROM messages WHERE tenant_id = ?1 AND session_id = ?2 AND id = ?3)";
    DELETE_MESSAGE = "
        DELETE FROM messages WHERE tenant_id = ?1 AND session_id = ?2 AND id = ?3";
    /// The head moves on, so that no copy of the history that was is asked for again.
    COUNT_AGAIN = "
        UPDATE sessions SET
          head = head + 1, updated_at = max(updated_at, ?3),
          token_total = (
            SELECT coalesce(sum(stored_tokens), 0) FROM turns
            WHERE tenant_id = ?1 AND session_id = ?2)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL";
}

/// How much of a history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryBudget {
    /// Turns at most.
    pub turns: u32,
    /// Bytes of messages at most; the newest turn comes even if it alone is longer.
    pub bytes: u64,
}

impl HistoryBudget {
    /// Enough for either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            turns: self.turns.max(other.turns),
            bytes: self.bytes.max(other.bytes),
        }
    }
}

/// A session's history under a head: its newest turns, oldest first. Serialises for the cache.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// The turns, oldest first.
    pub turns: Vec<HistoryTurn>,
    /// Whether there are earlier turns, which the budget left out.
    pub truncated: bool,
}

/// One turn of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryTurn {
    /// The turn's number.
    pub seq: u64,
    /// What was said in it, in order.
    pub messages: Vec<HistoryMessage>,
}

/// One message of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryMessage {
    /// Who spoke.
    pub role: Role,
    /// The message, byte for byte as it came in.
    pub raw: Json,
}

impl HistoryTurn {
    fn bytes(&self) -> u64 {
        let lengths = self.messages.iter().map(|it| it.raw.as_str().len() as u64);
        lengths.sum()
    }
}

impl History {
    /// How long all messages are together.
    pub fn bytes(&self) -> u64 {
        self.turns.iter().map(HistoryTurn::bytes).sum()
    }

    /// Keeps what [`history`] would read: the newest turns that fit the budget, whole, and the very
    /// newest even if it does not.
    pub(crate) fn cut(&mut self, budget: HistoryBudget) {
        let (mut kept, mut bytes) = (0_usize, 0_u64);
        for turn in self.turns.iter().rev().take(budget.turns as usize) {
            bytes = bytes.saturating_add(turn.bytes());
            if kept > 0 && bytes > budget.bytes {
                break;
            }
            kept += 1;
        }
        let gone = self.turns.len() - kept;
        self.turns.drain(..gone);
        self.truncated |= gone > 0;
    }

    /// The messages of each turn, oldest first.
    pub fn into_turns(self) -> Vec<Vec<Message>> {
        let said = |turn: HistoryTurn| {
            let messages = turn.messages.into_iter();
            messages.map(|it| Message::from_stored(it.role, it.raw)).collect()
        };
        self.turns.into_iter().map(said).collect()
    }

    /// All messages, oldest first.
    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        self.turns
            .into_iter()
            .flat_map(|turn| turn.messages)
            .map(|message| Message::from_stored(message.role, message.raw))
    }
}

/// A message and the id it is stored under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The message's id.
    pub id: MessageId,
    /// The message.
    pub message: Message,
}

/// A message's row.
#[derive(Deserialize)]
struct MessageRow {
    seq: u64,
    role: Role,
    content: String,
    first_seq: u64,
}

/// What was said in a session up to `head`: as many of the newest turns as fit the budget.
///
/// Turns never change, so the same head gives the same history, however much is said meanwhile.
pub async fn history(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    head: SessionHead,
    budget: HistoryBudget,
) -> Result<History, SqlError> {
    let query = HISTORY.with([
        tenant.into(),
        session.into(),
        head.into(),
        budget.turns.into(),
        budget.bytes.into(),
    ]);
    let mut history = History::default();
    for row in sql.query::<MessageRow>(query).await? {
        let raw = content(row.content)?;
        let message = HistoryMessage { role: row.role, raw };
        match history.turns.last_mut() {
            Some(turn) if turn.seq == row.seq => turn.messages.push(message),
            None | Some(_) => {
                history.truncated |= history.turns.is_empty() && row.seq > row.first_seq;
                history.turns.push(HistoryTurn {
                    seq: row.seq,
                    messages: vec![message],
                });
            }
        }
    }
    Ok(history)
}

/// The messages of one turn, in order; none where there is no such turn.
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
    let read = |row: Row| {
        Ok(StoredMessage {
            id: row.id,
            message: Message::from_stored(row.role, content(row.content)?),
        })
    };
    rows.into_iter().map(read).collect()
}

fn content(text: String) -> Result<Json, SqlError> {
    Json::parse(text).map_err(|error| SqlError::corrupt(format!("messages.content: {error}")))
}
