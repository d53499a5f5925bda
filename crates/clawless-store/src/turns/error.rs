//! Why a turn was not stored.

use clawless_core::retry::Transient;

use crate::ports::SqlError;

/// The turn was not stored, and no part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The session's head has moved: another turn or a change was stored first. The turn may be
    /// stored under the new head.
    #[error("the session's head has moved")]
    Fenced,
    /// The session was reset or replaced since. The turn belongs to the deleted history.
    #[error("the session was reset")]
    Emptied,
    /// Another try has claimed the message that the turn answers, or the message has ended.
    #[error("the claim of the message was lost")]
    TakenOver,
    /// The session does not exist.
    #[error("the session does not exist")]
    SessionGone,
    /// A message is longer than [`MAX_MESSAGE_BYTES`](super::new_turn::MAX_MESSAGE_BYTES).
    #[error("message {position} is too long to be stored")]
    TooLarge {
        /// The position of the message in the turn.
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
