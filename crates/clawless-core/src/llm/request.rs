//! One call of a model, independent of the provider.

use crate::chat::{ChatOptions, Message};

/// A model call.
#[derive(Debug, Clone, PartialEq)]
pub struct LlmRequest {
    /// The model id at the provider.
    pub model: String,
    /// The conversation: system prompt, history and the messages of the request.
    pub messages: Vec<Message>,
    /// All other parameters.
    pub options: ChatOptions,
}
