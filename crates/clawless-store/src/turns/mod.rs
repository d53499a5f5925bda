//! Turns: the one way in which a conversation grows.

mod new_turn;
mod stored;
mod transaction;

pub use new_turn::{MAX_MESSAGE_BYTES, NewMessage, NewTurn, TurnStatus};
pub use stored::{StoredTurn, find_by_request};

use clawless_core::retry::Transient;
use clawless_core::session::SessionHead;
use clawless_core::TenantId;

use crate::ports::{Sql, SqlError, SqlErrorKind};
use crate::statement::statements;

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
    /// Eight at once: D1 counts the statements of an invocation.
    INSERT_MESSAGES = "
        INSERT INTO messages (tenant_id, session_id, seq, position, id, role, content)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7),
               (?1, ?2, ?3, ?8, ?9, ?10, ?11),
               (?1, ?2, ?3, ?12, ?13, ?14, ?15),
               (?1, ?2, ?3, ?16, ?17, ?18, ?19),
               (?1, ?2, ?3, ?20, ?21, ?22, ?23),
               (?1, ?2, ?3, ?24, ?25, ?26, ?27),
               (?1, ?2, ?3, ?28, ?29, ?30, ?31),
               (?1, ?2, ?3, ?32, ?33, ?34, ?35)";
    FIND_BY_REQUEST = "
        SELECT session_id, seq, incomplete_reason, finish_reason, model, provider,
               prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
               cost_micro_dollars, provenance, created_at
        FROM turns WHERE tenant_id = ?1 AND request_id = ?2";
}

/// A turn is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The session's head under this turn.
    pub head: SessionHead,
    /// Whether an earlier try had stored it already.
    pub repeated: bool,
}

/// A turn is not stored, and nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The session has moved on: another turn took the place, or something else was changed. The
    /// turn may be stored behind that.
    #[error("the session has moved on")]
    Fenced,
    /// The session was emptied since, or is another of the same name. The turn belongs to what was
    /// forgotten.
    #[error("the session was emptied")]
    Emptied,
    /// The message that the turn answers is not its to answer any more: another try has it, or it
    /// came to its end.
    #[error("the message was taken over")]
    TakenOver,
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

/// Stores a turn whole, in one transaction: the session's row if this is a name's first turn, the
/// session's new head, the turn, its messages and what its tools did.
///
/// May be repeated: a request's turn is stored once, and a try that finds it stored succeeds.
pub async fn commit(
    sql: &impl Sql,
    tenant: &TenantId,
    turn: &NewTurn,
) -> Result<Committed, CommitError> {
    let failure = match sql.batch(transaction::of(tenant, turn)?).await {
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
    if matches!(&failure.kind, SqlErrorKind::Constraint(which) if crate::sends::is_taken_over(which)) {
        return Err(CommitError::TakenOver);
    }
    match crate::sessions::find_even_expired(sql, tenant, &turn.session).await? {
        None => Err(CommitError::SessionGone),
        Some(session) if session.head.era() != turn.expected.era() => Err(CommitError::Emptied),
        Some(session) if session.head != turn.expected => Err(CommitError::Fenced),
        Some(_) => Err(failure.into()),
    }
}
