//! The messages of a session, page by page.

use clawless_core::chat::{Message, Role};
use clawless_core::{MessageId, RequestId, SessionId, TenantId, Timestamp};
use serde::Deserialize;

use super::{PAGE_BACKWARD, PAGE_FORWARD, PLACE, content};
use crate::ports::{SafeInteger, Sql, SqlError};

/// How many bytes of messages are read at once: a message may be 2 MB long, and a Worker has 128 MB.
const PAGE_BYTES: u64 = 4 << 20;

/// Where a message stands in its session. Places sort as what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct MessagePosition {
    /// The number of its turn.
    pub seq: u64,
    /// Its position in the turn.
    pub position: u32,
}

/// Which messages are wanted: those between two places, neither of them included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// What was said later than this.
    pub after: Option<MessagePosition>,
    /// What was said earlier than this.
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

/// A message of a list, and what is known of its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMessage {
    /// Its id.
    pub id: MessageId,
    /// Where it stands.
    pub place: MessagePosition,
    /// The message.
    pub message: Message,
    /// The request that its turn answered.
    pub request: RequestId,
    /// Why its turn broke off, if it did: a code of the catalogue of errors.
    pub incomplete_reason: Option<String>,
    /// The model that answered in its turn.
    pub model: String,
    /// When the request came in.
    pub created_at: Timestamp,
}

/// Some messages of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The messages.
    pub messages: Vec<ListedMessage>,
    /// Whether there are more of them in the range, behind the last.
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
            place: MessagePosition {
                seq: row.seq,
                position: row.position,
            },
            message: Message::from_stored(row.role, content(row.content)?),
            request: row.request_id,
            incomplete_reason: row.incomplete_reason,
            model: row.model,
            created_at: row.created_at,
        })
    }
}

/// Up to `limit` messages of a session in a range, from its end that `order` begins at: fewer where
/// they are long, but one at least.
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
    let (first, last) = (MessagePosition::FIRST, SafeInteger::MAX.get().unsigned_abs());
    let after = range.after.unwrap_or(first);
    let before = range.before.unwrap_or(MessagePosition { seq: last, ..first });
    let query = statement.with([
        tenant.into(),
        session.into(),
        after.seq.into(),
        after.position.into(),
        before.seq.into(),
        before.position.into(),
        // One more tells whether there are more.
        limit.saturating_add(1).into(),
        PAGE_BYTES.into(),
    ]);
    let mut rows: Vec<Row> = sql.query(query).await?;
    let found = rows.first().map_or(0, |row| row.found);
    // They are few, and the database would sort them in a table of its own.
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
    /// Before everything: turns are numbered from 1.
    const FIRST: Self = Self { seq: 0, position: 0 };
}

/// Where a message stands; none if the session has no such message.
pub async fn place(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    id: &MessageId,
) -> Result<Option<MessagePosition>, SqlError> {
    let query = PLACE.with([tenant.into(), session.into(), id.into()]);
    Ok(sql.query::<MessagePosition>(query).await?.into_iter().next())
}
