//! A session's history, as it was stored.

use clawless_core::chat::{Message, Role};
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_core::{SessionId, TenantId};
use serde::{Deserialize, Serialize};

use super::statements::{HISTORY, HISTORY_SIZE};
use crate::ports::{Sql, SqlError};
use crate::row;

/// How much of a history to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryBudget {
    /// The most turns.
    pub turns: u32,
    /// The most bytes of messages. The newest turn is read even if it alone is longer.
    pub bytes: u64,
}

impl HistoryBudget {
    /// A budget that covers both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            turns: self.turns.max(other.turns),
            bytes: self.bytes.max(other.bytes),
        }
    }
}

/// A session's history under a head: its newest turns. Serialises for the cache.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// The turns, oldest first.
    pub turns: Vec<HistoryTurn>,
    /// Whether earlier turns exist that the budget excluded.
    pub truncated: bool,
}

/// One turn of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryTurn {
    /// The turn's number.
    pub seq: u64,
    /// The messages, in order.
    pub messages: Vec<HistoryMessage>,
}

/// One message of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryMessage {
    /// The author's role.
    pub role: Role,
    /// The message, byte for byte as it was received.
    pub raw: Json,
}

impl HistoryTurn {
    fn bytes(&self) -> u64 {
        let lengths = self.messages.iter().map(|it| it.raw.as_str().len() as u64);
        lengths.sum()
    }
}

impl History {
    /// The total length of the messages.
    pub fn bytes(&self) -> u64 {
        self.turns.iter().map(HistoryTurn::bytes).sum()
    }

    /// Keeps what [`history`] would read: the newest whole turns that fit the budget, and the
    /// newest one even if it does not.
    pub(crate) fn truncate(&mut self, budget: HistoryBudget) {
        let (mut kept, mut bytes) = (0_usize, 0_u64);
        for turn in self.turns.iter().rev().take(budget.turns as usize) {
            bytes = bytes.saturating_add(turn.bytes());
            if kept > 0 && bytes > budget.bytes {
                break;
            }
            kept += 1;
        }
        let dropped = self.turns.len() - kept;
        self.turns.drain(..dropped);
        self.truncated |= dropped > 0;
    }

    /// The messages of each turn, oldest first.
    pub fn into_turns(self) -> Vec<Vec<Message>> {
        let messages = |turn: HistoryTurn| {
            let messages = turn.messages.into_iter();
            messages
                .map(|it| Message::from_stored(it.role, it.raw))
                .collect()
        };
        self.turns.into_iter().map(messages).collect()
    }

    /// All messages, oldest first.
    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        self.turns
            .into_iter()
            .flat_map(|turn| turn.messages)
            .map(|message| Message::from_stored(message.role, message.raw))
    }
}

/// A message's row.
#[derive(Deserialize)]
struct MessageRow {
    seq: u64,
    role: Role,
    content: String,
    first_seq: u64,
}

/// A session's history up to `head`: the newest turns that fit the budget. `room` makes room for its bytes
/// before they are read.
///
/// Turns never change, so a head always gives the same history, even while turns are added.
///
/// # Errors
/// Those of `room` and of the database.
pub async fn history<E: From<SqlError>>(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    head: SessionHead,
    budget: HistoryBudget,
    room: impl FnOnce(u64) -> Result<(), E>,
) -> Result<History, E> {
    #[derive(Deserialize)]
    struct Size {
        bytes: u64,
    }
    let params = || {
        [
            tenant.into(),
            session.into(),
            head.into(),
            budget.turns.into(),
            budget.bytes.into(),
        ]
    };
    let sizes: Vec<Size> = sql.query(HISTORY_SIZE.with(params())).await?;
    room(sizes.first().map_or(0, |size| size.bytes))?;
    let query = HISTORY.with(params());
    let mut history = History::default();
    for row in sql.query::<MessageRow>(query).await? {
        let raw = row::raw_json("messages.content", row.content)?;
        let message = HistoryMessage {
            role: row.role,
            raw,
        };
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
