//! The whole response of a model.

use crate::chat::{FinishReason, Usage};
use crate::json::Json;
use crate::members::Members;
use crate::tool::ToolCall;

/// The whole response of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LlmResponse {
    /// The choices, one for each of `n`.
    pub choices: Vec<LlmChoice>,
    /// The usage, if the provider reports it.
    pub usage: Option<Usage>,
    /// Members of the answer beside its choices, such as `citations`, as the provider gave them.
    pub members: Members,
}

/// One of the choices of a response.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LlmChoice {
    /// The position.
    pub index: u32,
    /// The text.
    pub content: Option<String>,
    /// The reasoning, if the provider returns it.
    pub reasoning: Option<String>,
    /// The refusal, instead of a text.
    pub refusal: Option<String>,
    /// The tool calls.
    pub tool_calls: Vec<ToolCall>,
    /// The finish reason. Absent if the response was interrupted.
    pub finish_reason: Option<FinishReason>,
    /// Log probabilities, unparsed.
    pub logprobs: Option<Json>,
    /// Signed reasoning: an array of provider-specific blocks, returned unchanged to the provider
    /// in later requests.
    pub thinking_blocks: Option<Json>,
    /// Members of the message that have no meaning here, as the provider gave them: it may need
    /// them back when the conversation goes on.
    pub members: Members,
    /// Members of the choice beside its message, such as `native_finish_reason`, as the provider
    /// gave them. A request has no place for them.
    pub choice_members: Members,
}
