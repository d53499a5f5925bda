//! The whole response of a model.

use crate::chat::{FinishReason, Usage};
use crate::json::Json;
use crate::tool::ToolCall;

/// One answer of a model, whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LlmResponse {
    /// The answers, one for each of the `n` that were asked for.
    pub choices: Vec<LlmChoice>,
    /// What it used, where the provider said so.
    pub usage: Option<Usage>,
}

/// One of the answers to a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LlmChoice {
    /// The answer's position.
    pub index: u32,
    /// Its text.
    pub content: Option<String>,
    /// What the model thought before it answered, where the provider tells.
    pub reasoning: Option<String>,
    /// Its refusal, instead of a text.
    pub refusal: Option<String>,
    /// The tools that it wants to have run.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended; absent where it broke off.
    pub finish_reason: Option<FinishReason>,
    /// Log probabilities, as the provider gave them.
    pub logprobs: Option<Json>,
    /// The thoughts that the provider signed: an array of its own blocks, to be given back to it
    /// unchanged when the conversation goes on.
    pub thinking_blocks: Option<Json>,
}
