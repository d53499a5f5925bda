//! Turns: the one way in which a conversation grows.

use clawless_core::chat::{FinishReason, Message, Usage};
use clawless_core::session::Head;
use clawless_core::{
    ErrorCode, KeyId, MessageId, MicroDollars, Provenance, RequestId, SessionId, TenantId,
    Timestamp, Tokens,
};
use serde::Deserialize;

use crate::ports::{Sql, SqlError, SqlErrorKind};
use crate::retry::Transient;
use crate::statement::{Statement, statements};

statements! {
    /// Makes the session of a name's first turn; does nothing where there is one.
    CREATE_SESSION = "
        INSERT INTO sessions (tenant_id, id, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
        ON CONFLICT (tenant_id, id) DO UPDATE SET
          title = NULL, metadata = '{}', system_prompt = NULL, model = NULL,
          thinking_level = NULL, tools = NULL, expires_at = NULL, created_at = excluded.created_at,
          token_total = 0, deleted_at = NULL
        WHERE sessions.tenant_id = ?1 AND sessions.deleted_at IS NOT NULL AND sessions.head = ?4";
    /// Moves the head by one. Where it is no longer the expected one, or the session is deleted,
    /// the new head is NULL, which the column refuses: the batch fails as a whole.
    MOVE_HEAD = "
        UPDATE sessions SET
          head = iif(head = ?3 AND deleted_at IS NULL, head + 1, NULL),
          token_total = token_total + ?4,
          updated_at = max(updated_at, ?5)
        WHERE tenant_id = ?1 AND id = ?2";
    INSERT_TURN = "
        INSERT INTO turns (tenant_id, session_id, seq, request_id, key_id, status,
                           incomplete_reason, finish_reason, model, provider, prompt_tokens,
                           completion_tokens, cached_tokens, reasoning_tokens, cost_micro_dollars,
                           provenance, stored_tokens, stored_bytes, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                ?19)";
    INSERT_MESSAGE = "
        INSERT INTO messages (tenant_id, session_id, seq, position, id, role, content)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    FIND_BY_REQUEST = "
        SELECT session_id, seq FROM turns WHERE tenant_id = ?1 AND request_id = ?2";
}

/// The longest message that is stored, in bytes: D1 takes 2 MB a row, the other columns included.
pub const MAX_MESSAGE_BYTES: usize = 1_999_000;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnStatus {
    /// As the model wanted.
    Complete,
    /// It broke off; the reason is the code that the client was told.
    Incomplete(ErrorCode),
}

/// A message and the id it is stored under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The message's id.
    pub id: MessageId,
    /// The message.
    pub message: Message,
}

/// A turn to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTurn {
    /// The session that it belongs to. One with a name of the client's own is made by its first
    /// turn; one with a generated id must be there.
    pub session: SessionId,
    /// The head under which the history was read.
    pub expected: Head,
    /// The request that made it.
    pub request: RequestId,
    /// The key that asked for it.
    pub key: Option<KeyId>,
    /// How it ended.
    pub status: TurnStatus,
    /// Why the model stopped, where it did.
    pub finish_reason: Option<FinishReason>,
    /// The model that answered.
    pub model: String,
    /// The provider that served it.
    pub provider: String,
    /// What the call used.
    pub usage: Usage,
    /// What the call cost.
    pub cost: MicroDollars,
    /// How the usage is known.
    pub provenance: Provenance,
    /// Tokens that the turn's messages add to the history.
    pub stored_tokens: Tokens,
    /// What came in and what was answered, in order.
    pub messages: Vec<NewMessage>,
    /// When the request came in.
    pub created_at: Timestamp,
}

/// A turn is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The session's head under this turn.
    pub head: Head,
    /// Whether an earlier try had stored it already.
    pub repeated: bool,
}

/// A turn is not stored, and nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The session has moved on: another turn took the place, or the history was changed.
    #[error("the session has moved on")]
    Fenced,
    /// There is no such session.
    #[error("the session is not there")]
    SessionGone,
    /// A message is longer than [`MAX_MESSAGE_BYTES`].
    #[error("message {position} is too long to be stored")]
    TooLarge {
        /// Which of the turn's messages.
        position: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl Transient for CommitError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Sql(error) if error.is_transient())
    }
}

/// Where a request's turn is stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredAt {
    /// The session.
    #[serde(rename = "session_id")]
    pub session: SessionId,
    /// The session's head under the turn.
    #[serde(rename = "seq")]
    pub head: Head,
}

/// Stores a turn whole, in one transaction: the session's row if this is a name's first turn, the
/// session's new head, the turn and its messages.
///
/// May be repeated: a request's turn is stored once, and a try that finds it stored succeeds.
pub async fn commit(
    sql: &impl Sql,
    tenant: &TenantId,
    turn: &NewTurn,
) -> Result<Committed, CommitError> {
    let failure = match sql.batch(statements_of(tenant, turn)?).await {
        Ok(()) => {
            return Ok(Committed {
                head: turn.expected.next(),
                repeated: false,
            });
        }
        Err(failure) => failure,
    };
    if !matches!(
        failure.kind,
        SqlErrorKind::Conflict(_) | SqlErrorKind::Constraint(_)
    ) {
        return Err(failure.into());
    }
    // Refused: because an earlier try got through, or because the session is not as expected.
    if let Some(stored) = find_by_request(sql, tenant, &turn.request).await? {
        return Ok(Committed {
            head: stored.head,
            repeated: true,
        });
    }
    match crate::sessions::find(sql, tenant, &turn.session).await? {
        None => Err(CommitError::SessionGone),
        Some(session) if session.head != turn.expected => Err(CommitError::Fenced),
        Some(_) => Err(failure.into()),
    }
}

/// The turn that a request left, if it left one.
pub async fn find_by_request(
    sql: &impl Sql,
    tenant: &TenantId,
    request: &RequestId,
) -> Result<Option<StoredAt>, SqlError> {
    let rows = sql
        .query(FIND_BY_REQUEST.with([tenant.into(), request.into()]))
        .await?;
    Ok(rows.into_iter().next())
}

/// The transaction that stores a turn.
fn statements_of(tenant: &TenantId, turn: &NewTurn) -> Result<Vec<Statement>, CommitError> {
    let session = &turn.session;
    let head = turn.expected.next();
    let mut stored_bytes = 0_u64;
    let mut messages = Vec::with_capacity(turn.messages.len());
    for (position, new) in (0_u32..).zip(&turn.messages) {
        let content = new.message.raw().as_str();
        if content.len() > MAX_MESSAGE_BYTES {
            return Err(CommitError::TooLarge {
                position: messages.len(),
            });
        }
        stored_bytes = stored_bytes.saturating_add(content.len() as u64);
        messages.push(INSERT_MESSAGE.with([
            tenant.into(),
            session.into(),
            head.into(),
            position.into(),
            (&new.id).into(),
            new.message.role().as_str().into(),
            content.into(),
        ]));
    }
    let mut batch = Vec::with_capacity(messages.len() + 3);
    if !session.is_generated() {
        batch.push(CREATE_SESSION.with([
            tenant.into(),
            session.into(),
            turn.created_at.into(),
            turn.expected.into(),
        ]));
    }
    batch.push(MOVE_HEAD.with([
        tenant.into(),
        session.into(),
        turn.expected.into(),
        turn.stored_tokens.into(),
        turn.created_at.into(),
    ]));
    batch.push(turn_row(tenant, turn, head, stored_bytes));
    batch.append(&mut messages);
    Ok(batch)
}

fn turn_row(tenant: &TenantId, turn: &NewTurn, head: Head, stored_bytes: u64) -> Statement {
    let (status, reason) = match turn.status {
        TurnStatus::Complete => ("complete", None),
        TurnStatus::Incomplete(code) => ("incomplete", Some(code.as_str())),
    };
    let usage = &turn.usage;
    let cached = usage.prompt_tokens_details.and_then(|part| part.cached_tokens);
    let reasoning = usage
        .completion_tokens_details
        .and_then(|part| part.reasoning_tokens);
    INSERT_TURN.with([
        tenant.into(),
        (&turn.session).into(),
        head.into(),
        (&turn.request).into(),
        turn.key.as_ref().into(),
        status.into(),
        reason.into(),
        turn.finish_reason.map(FinishReason::as_str).into(),
        turn.model.as_str().into(),
        turn.provider.as_str().into(),
        usage.prompt_tokens.into(),
        usage.completion_tokens.into(),
        cached.unwrap_or_default().into(),
        reasoning.unwrap_or_default().into(),
        turn.cost.into(),
        turn.provenance.as_str().into(),
        turn.stored_tokens.into(),
        stored_bytes.into(),
        turn.created_at.into(),
    ])
}
