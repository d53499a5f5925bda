//! The streamed response of a model.

use crate::chat::{FinishReason, Usage};
use crate::json::Json;
use crate::tool::CallForm;

/// One step of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum LlmEvent {
    /// More of an answer.
    Delta {
        /// Which of the `n` answers.
        index: u32,
        /// What was added.
        delta: Delta,
    },
    /// An answer ended.
    Finish {
        /// Which of the `n` answers.
        index: u32,
        /// Why.
        reason: FinishReason,
    },
    /// What the whole call used. May come more than once; the last one holds.
    Usage(Usage),
}

/// An addition to an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// More text.
    Content(String),
    /// More of what the model thinks.
    Reasoning(String),
    /// More of a refusal.
    Refusal(String),
    /// A tool call begins.
    ToolCallStart {
        /// The call's position among the calls of this answer.
        call: u32,
        /// The call's id.
        id: String,
        /// The tool's name.
        name: String,
        /// How it stands on `OpenAI`'s wire.
        form: CallForm,
    },
    /// More of a tool call's arguments.
    ToolCallArguments {
        /// The call's position among the calls of this answer.
        call: u32,
        /// A piece of JSON text, or of a custom tool's input.
        arguments: String,
        /// How the call stands on `OpenAI`'s wire.
        form: CallForm,
    },
    /// Log probabilities of what was added last, as the provider gave them.
    Logprobs(Json),
    /// The thoughts that the provider signed, all of them, once, before the answer's end.
    ThinkingBlocks(Json),
}
