//! Turns: the only way in which a session's history grows.

mod commit;
mod error;
mod fork;
mod new_turn;
mod removal;
mod statements;
mod stored;
mod transaction;

pub use commit::{Committed, commit};
pub use error::CommitError;
pub use fork::{Fork, fork};
pub use new_turn::{MAX_MESSAGE_BYTES, NewMessage, NewTurn, TurnStatus};
pub use removal::remove;
pub use stored::{
    FoundResponse, StoredTurn, find_by_request, find_in_session, find_response, tokens_until,
};

pub(crate) use statements::STATEMENTS;
