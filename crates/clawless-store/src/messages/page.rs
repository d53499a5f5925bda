//! Listing a session's messages in pages.

use clawless_core::chat::{Message, Role};
use clawless_core::{MessageId, RequestId, SessionId, TenantId, Timestamp};
use serde::Deserialize;

use super::statements::{PAGE_BACKWARD, PAGE_FORWARD, POSITION};
use crate::ports::{SafeInteger, Sql, SqlError};
use crate::row;

/// The most bytes of messages in a page: a page costs a Worker some milliseconds of its only thread, and
/// an export holds one while its reader takes it. One message may have 2 MB.
pub const MAX_PAGE_BYTES: u64 = 1 << 20;

/// The position of a message in its session. Positions sort in order of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct MessagePosition {
    /// The number of its turn.
    pub seq: u64,
    /// Its position in the turn.
    pub position: u32,
}

/// The messages between two positions, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// Messages after this position.
    pub after: Option<MessagePosition>,
    /// Messages before this position.
    pub before: Option<MessagePosition>,
}

/// The order of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// Earliest first.
    Forward,
    /// Latest first.
    Backward,
}

/// A listed message with data of its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMessage {
    /// The message's id.
    pub id: MessageId,
    /// Its position.
    pub position: MessagePosition,
    /// The message.
    pub message: Message,
    /// The request of its turn.
    pub request: RequestId,
    /// Why its turn broke off, if it did: an error code.
    pub incomplete_reason: Option<String>,
    /// The model of its turn.
    pub model: String,
    /// When the request arrived.
    pub created_at: Timestamp,
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The messages.
    pub messages: Vec<ListedMessage>,
    /// Whether the range has more messages after the last one.
    pub has_more: bool,
}

#[derive(Deserialize)]
struct Row {
    id: MessageId,
    seq: u64,
    position: u32,
    role: Role,
    content: String,
    request_id: RequestId,
    incomplete_reason: Option<String>,
    model: String,
    created_at: Timestamp,
    found: usize,
}

impl TryFrom<Row> for ListedMessage {
    type Error = SqlError;

    fn try_from(row: Row) -> Result<Self, SqlError> {
        Ok(Self {
            id: row.id,
            position: MessagePosition {
                seq: row.seq,
                position: row.position,
            },
            message: Message::from_stored(
                row.role,
                row::raw_json("messages.content", row.content)?,
            ),
            request: row.request_id,
            incomplete_reason: row.incomplete_reason,
            model: row.model,
            created_at: row.created_at,
        })
    }
}

/// Up to `limit` messages of a session in a range, starting at the end that `order` selects. Fewer
/// if they are long, but at least one.
pub async fn page(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    range: Range,
    order: SortOrder,
    limit: u32,
) -> Result<Page, SqlError> {
    let statement = match order {
        SortOrder::Forward => PAGE_FORWARD,
        SortOrder::Backward => PAGE_BACKWARD,
    };
    let (first, last) = (
        MessagePosition::FIRST,
        SafeInteger::MAX.get().unsigned_abs(),
    );
    let after = range.after.unwrap_or(first);
    let before = range
        .before
        .unwrap_or(MessagePosition { seq: last, ..first });
    let query = statement.with([
        tenant.into(),
        session.into(),
        after.seq.into(),
        after.position.into(),
        before.seq.into(),
        before.position.into(),
        // One more than the limit shows whether there are more.
        limit.saturating_add(1).into(),
        MAX_PAGE_BYTES.into(),
    ]);
    let mut rows: Vec<Row> = sql.query(query).await?;
    let found = rows.first().map_or(0, |row| row.found);
    // The database would sort them in a temporary table.
    rows.sort_by_key(|row| (row.seq, row.position));
    if order == SortOrder::Backward {
        rows.reverse();
    }
    rows.truncate(limit as usize);
    Ok(Page {
        has_more: rows.len() < found,
        messages: rows
            .into_iter()
            .map(ListedMessage::try_from)
            .collect::<Result<_, _>>()?,
    })
}

impl MessagePosition {
    /// Before every message: turns are numbered from 1.
    const FIRST: Self = Self {
        seq: 0,
        position: 0,
    };
}

/// The position of a message, if the session has it.
pub async fn position(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    id: &MessageId,
) -> Result<Option<MessagePosition>, SqlError> {
    let query = POSITION.with([tenant.into(), session.into(), id.into()]);
    Ok(sql
        .query::<MessagePosition>(query)
        .await?
        .into_iter()
        .next())
}
