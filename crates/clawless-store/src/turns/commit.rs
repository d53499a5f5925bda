//! Storing a turn in one transaction.

use clawless_core::TenantId;
use clawless_core::session::SessionHead;

use super::error::CommitError;
use super::new_turn::NewTurn;
use super::stored::find_by_request;
use super::transaction::build;
use crate::ports::{Sql, SqlError, SqlErrorKind};
use crate::{sends, sessions};

/// A stored turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The session's head under this turn.
    pub head: SessionHead,
    /// Whether an earlier try had already stored it.
    pub repeated: bool,
}

/// Stores a turn in one transaction: the session's row if this is a name's first turn, the
/// session's new head, the turn, its messages and its tool executions.
///
/// Idempotent: a request's turn is stored once, and a try that finds it stored succeeds.
pub async fn commit(
    sql: &impl Sql,
    tenant: &TenantId,
    turn: &NewTurn,
) -> Result<Committed, CommitError> {
    let head = turn.expected.next();
    match sql.batch(build(tenant, turn)?).await {
        Ok(()) => Ok(Committed {
            head,
            repeated: false,
        }),
        Err(error) => explain(sql, tenant, turn, error).await,
    }
}

/// A batch violates a constraint if an earlier try has stored the turn, the try has lost its claim
/// or the session is not in the expected state.
async fn explain(
    sql: &impl Sql,
    tenant: &TenantId,
    turn: &NewTurn,
    error: SqlError,
) -> Result<Committed, CommitError> {
    let claim_lost = match &error.kind {
        SqlErrorKind::Conflict(_) => false,
        SqlErrorKind::Constraint(constraint) => sends::is_claim_lost(constraint),
        _ => return Err(error.into()),
    };
    if let Some(stored) = find_by_request(sql, tenant, &turn.request).await? {
        return Ok(Committed {
            head: stored.head,
            repeated: true,
        });
    }
    if claim_lost {
        return Err(CommitError::TakenOver);
    }
    match sessions::find_even_expired(sql, tenant, &turn.session).await? {
        None => Err(CommitError::SessionGone),
        Some(session) if session.head.era() != turn.expected.era() => Err(CommitError::Emptied),
        Some(session) if session.head != turn.expected => Err(CommitError::Fenced),
        Some(_) => Err(error.into()),
    }
}
