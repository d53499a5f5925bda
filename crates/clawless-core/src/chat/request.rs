//! A completion request, independent of the surface that received it.

use super::message::Message;
use super::options::ChatOptions;
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
}
