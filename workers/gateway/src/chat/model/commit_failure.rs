//! Why a turn is not stored, and what may be stored later.

use clawless_core::ledger::SessionState;
use clawless_core::{ApiError, Storage};
use clawless_store::turns::NewTurn;

/// Why a turn is not stored.
#[derive(Debug)]
pub enum CommitFailure {
    /// The database refuses the turn now, but may take it later: the ledger can keep it until then.
    Retryable(Box<ParkableTurn>, ApiError),
    /// The turn will never be stored.
    Permanent(ApiError),
}

/// A turn that the database refuses for now.
#[derive(Debug)]
pub struct ParkableTurn {
    /// The turn.
    pub turn: NewTurn,
    /// The session's state once it is stored.
    pub state: SessionState,
    /// What it adds to the stored content.
    pub stored: Storage,
}

impl From<ApiError> for CommitFailure {
    fn from(error: ApiError) -> Self {
        Self::Permanent(error)
    }
}
