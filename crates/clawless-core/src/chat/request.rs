//! A completion request, independent of the surface that received it.

use super::message::Message;
use super::options::ChatOptions;
use super::turn_options::TurnOptions;
use crate::ids::SessionId;

/// A validated completion request. A surface parses it; later steps do not validate it again.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionRequest {
    /// The requested model: an id, an alias or `auto`.
    pub model: String,
    /// The messages of the request, at least one.
    pub messages: Vec<Message>,
    /// Whether the response is streamed.
    pub stream: bool,
    /// The session named in the body.
    pub session_id: Option<SessionId>,
    /// All other parameters.
    pub options: ChatOptions,
    /// How the turn is stored, which history it continues, and which server tools it may use.
    pub turn: TurnOptions,
}

impl CompletionRequest {
    /// The messages that a session stores: all but those that apply to this request alone.
    pub fn lasting_messages(&self) -> &[Message] {
        self.messages.get(self.turn.transient..).unwrap_or_default()
    }
}
