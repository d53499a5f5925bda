//! The answer of a turn.

use super::super::client::ClientStream;
use super::call::CallTrace;
use super::outcome::Outcome;

/// The answer of a turn, before it is stored and its end is sent.
pub struct Answered<T> {
    /// What the turn stores and charges.
    pub outcome: Outcome,
    /// How the first call reached its model.
    pub trace: CallTrace,
    /// The client of a streamed answer.
    pub client: Option<ClientStream<T>>,
}
