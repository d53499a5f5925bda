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
pub struct ChatCompletionResponse {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// For stored turns only.
    #[serde(flatten)]
    stored: Option<TurnState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clawless: Option<Extension<Vec<ToolActivity>>>,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

/// The state of a stored turn. Both members are always there: the reason of a complete turn is null.
#[derive(Debug, Serialize)]
struct TurnState {
    status: &'static str,
    incomplete_reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Choice {
    index: u32,
    message: AssistantMessage,
    logprobs: Option<Json>,
    finish_reason: Option<FinishReason>,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

/// The assistant message of a choice.
#[derive(Debug, Serialize)]
struct AssistantMessage {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_blocks: Option<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<MessageToolCall>,
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
