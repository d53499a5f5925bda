//! What is asked of a provider and what it answers, in words of our own that fit every provider.

use serde::{Deserialize, Serialize};

use crate::chat::{ChatOptions, FinishReason, Message, Usage};
use crate::json::Json;
use crate::model::Model;
use crate::tool::{CallForm, ToolCall};

/// The wire that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// `OpenAI`'s chat completions, by `OpenAI` or by any server that speaks them.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// The models of the platform itself, by its AI binding.
    WorkersAi,
}

/// A model provider, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmProvider {
    /// The operator's name for it.
    pub name: String,
    /// The wire that it speaks.
    pub kind: ProviderKind,
    /// Where its API begins, such as `https://api.openai.com/v1`; without a slash at the end.
    /// The platform's own models have none.
    #[serde(default)]
    pub base_url: String,
    /// The NAME of the secret that holds its key; no key is sent where it is absent.
    #[serde(default)]
    pub key: Option<String>,
    /// The models that it serves.
    #[serde(default)]
    pub models: Vec<Model>,
}

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
