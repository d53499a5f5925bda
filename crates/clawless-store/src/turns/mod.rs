//! Turns: the only way in which a session's history grows.

mod commit;
mod error;
mod new_turn;
mod statements;
mod stored;
mod transaction;

pub use commit::{Committed, commit};
pub use error::CommitError;
pub use new_turn::{MAX_MESSAGE_BYTES, NewMessage, NewTurn, TurnStatus};
pub use stored::{StoredTurn, find_by_request, find_in_session};

pub(crate) use statements::STATEMENTS;
