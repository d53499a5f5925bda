//! Whole responses: `chat.completion`.

use clawless_core::chat::{FinishReason, MessageFunction, MessageToolCall, Usage, message_calls};
use clawless_core::json::Json;
use clawless_core::llm::{LlmChoice, LlmResponse};
use clawless_core::members::Members;
use clawless_core::{ErrorCode, Timestamp};
use serde::Serialize;

use crate::activity::{Extension, ToolActivity};

/// The body of a whole response.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ChatCompletion")
)]
pub struct ChatCompletionResponse {
    /// The id of the answer.
    id: String,
    /// Always `chat.completion`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "chat.completion")))]
    object: &'static str,
    /// When the request arrived, in seconds since 1970 (UTC).
    created: u64,
    /// The model that answered.
    model: String,
    /// The answers, one per choice.
    choices: Vec<Choice>,
    /// The tokens used.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// For stored turns only.
    #[serde(flatten)]
    stored: Option<TurnState>,
    /// The activity of server tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    clawless: Option<Extension<Vec<ToolActivity>>>,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

/// The state of a stored turn. Both members are always there: the reason of a complete turn is null.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct TurnState {
    /// Whether the stored answer is whole.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["complete", "incomplete"])))]
    status: &'static str,
    /// The error code of the interruption.
    incomplete_reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ChatChoice")
)]
struct Choice {
    /// The number of the choice, from 0.
    index: u32,
    /// The message.
    message: AssistantMessage,
    /// Log probabilities, as the provider sent them.
    logprobs: Option<Json>,
    /// Why the model stopped.
    finish_reason: Option<FinishReason>,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

/// The assistant message of a choice.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct AssistantMessage {
    /// Always `assistant`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "assistant")))]
    role: &'static str,
    /// The text.
    content: Option<String>,
    /// A refusal instead of the text.
    refusal: Option<String>,
    /// The reasoning, if the model shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    /// Reasoning that the provider signed. Send it back unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_blocks: Option<Json>,
    /// The calls of client tools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<MessageToolCall>,
    /// The call of a function, in the legacy form.
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<MessageFunction>,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

impl From<LlmChoice> for AssistantMessage {
    fn from(choice: LlmChoice) -> Self {
        let (tool_calls, function_call) = message_calls(choice.tool_calls);
        Self {
            role: "assistant",
            content: choice.content,
            refusal: choice.refusal,
            reasoning_content: choice.reasoning,
            thinking_blocks: choice.thinking_blocks,
            tool_calls,
            function_call,
            members: choice.members,
        }
    }
}

impl ChatCompletionResponse {
    /// The body of the response `id` of `model`.
    pub fn new(id: String, created: Timestamp, model: String, response: LlmResponse) -> Self {
        let (usage, members) = (response.usage, response.members);
        let choices = response.choices.into_iter().map(|mut choice| Choice {
            index: choice.index,
            logprobs: choice.logprobs.take(),
            finish_reason: choice.finish_reason,
            members: std::mem::take(&mut choice.choice_members),
            message: choice.into(),
        });
        Self {
            id,
            object: "chat.completion",
            created: created.as_secs(),
            model,
            choices: choices.collect(),
            usage,
            stored: None,
            clawless: None,
            members,
        }
    }

    /// Adds the activity of server tools.
    #[must_use]
    pub fn with_activity(mut self, tool_executions: Vec<ToolActivity>) -> Self {
        self.clawless = Some(Extension { tool_executions });
        self
    }

    /// Adds the status of a stored turn; `incomplete` is the reason of an interrupted one.
    #[must_use]
    pub fn with_status(mut self, incomplete: Option<ErrorCode>) -> Self {
        self.stored = Some(TurnState {
            status: match incomplete {
                None => "complete",
                Some(_) => "incomplete",
            },
            incomplete_reason: incomplete.map(ErrorCode::as_str),
        });
        self
    }
}
