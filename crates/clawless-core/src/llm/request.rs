//! One call of a model, independent of the provider.

use crate::chat::{ChatOptions, Message};

/// One call of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct LlmRequest {
    /// The provider's name for the model.
    pub model: String,
    /// The whole conversation: system prompt, history, and what the client sent.
    pub messages: Vec<Message>,
    /// Everything else that the client asked for.
    pub options: ChatOptions,
}
