//! The answer, whole: `chat.completion`.

use serde::{Deserialize, Serialize};

use super::activity::{Extension, ToolActivity};
use super::content::Content;
use super::message::Message;
use super::usage::Usage;
use crate::error::ErrorCode;
use crate::json::Json;
use crate::llm::{LlmChoice, LlmResponse};
use crate::time::Timestamp;
use crate::tool::{CallForm, ToolCall};

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done, or met a stop text.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The model wants tools to run.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// The model wants a function to run, in the older form.
    FunctionCall,
}

impl FinishReason {
    /// The reason's name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::FunctionCall => "function_call",
        }
    }
}

/// The body of a whole answer.
#[derive(Debug, Serialize)]
pub struct ChatCompletionResponse {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// Only where a stored turn is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clawless: Option<Extension<Vec<ToolActivity>>>,
}

#[derive(Debug, Serialize)]
struct Choice {
    index: u32,
    message: AssistantMessage,
    logprobs: Option<Json>,
    finish_reason: Option<FinishReason>,
}

/// An assistant's message as it goes out, and as it is stored in a session.
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
    tool_calls: Vec<WireToolCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<WireFunction>,
}

/// A tool call on `OpenAI`'s wire.
#[derive(Debug, Serialize)]
struct WireToolCall {
    id: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<WireFunction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<WireCustom>,
}

#[derive(Debug, Serialize)]
struct WireFunction {
    name: String,
    arguments: String,
}

#[derive(Debug, Serialize)]
struct WireCustom {
    name: String,
    input: String,
}

/// The calls of a message: those of tools, and the one of the older form.
fn calls(calls: Vec<ToolCall>) -> (Vec<WireToolCall>, Option<WireFunction>) {
    let (mut tool_calls, mut function_call) = (Vec::new(), None);
    for ToolCall {
        id,
        name,
        arguments,
        form,
    } in calls
    {
        match form {
            CallForm::Function => tool_calls.push(WireToolCall {
                id,
                r#type: "function",
                function: Some(WireFunction { name, arguments }),
                custom: None,
            }),
            CallForm::Custom => tool_calls.push(WireToolCall {
                id,
                r#type: "custom",
                function: None,
                custom: Some(WireCustom {
                    name,
                    input: arguments,
                }),
            }),
            CallForm::Older => function_call = Some(WireFunction { name, arguments }),
        }
    }
    (tool_calls, function_call)
}

impl From<LlmChoice> for AssistantMessage {
    fn from(choice: LlmChoice) -> Self {
        let (tool_calls, function_call) = calls(choice.tool_calls);
        Self {
            role: "assistant",
            content: choice.content,
            refusal: choice.refusal,
            reasoning_content: choice.reasoning,
            thinking_blocks: choice.thinking_blocks,
            tool_calls,
            function_call,
        }
    }
}

impl LlmChoice {
    /// The choice as the assistant's message that a session stores and replays: without what the
    /// model thought, which no provider takes back unless it signed it, and without an empty
    /// `refusal`.
    pub fn to_stored(&self) -> Result<Json, serde_json::Error> {
        #[derive(Serialize)]
        struct Stored<'a> {
            role: &'static str,
            content: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            refusal: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            thinking_blocks: Option<&'a Json>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tool_calls: Vec<WireToolCall>,
            #[serde(skip_serializing_if = "Option::is_none")]
            function_call: Option<WireFunction>,
        }
        let (tool_calls, function_call) = calls(self.tool_calls.clone());
        Json::of(&Stored {
            role: "assistant",
            content: self.content.as_deref(),
            refusal: self.refusal.as_deref(),
            thinking_blocks: self.thinking_blocks.as_ref(),
            tool_calls,
            function_call,
        })
    }
}

impl LlmChoice {
    /// The choice that was stored as this message, with the reason that the turn knows.
    ///
    /// # Errors
    /// Where the message is not one that [`Self::to_stored`] wrote.
    pub fn from_stored(
        message: &Message,
        finish_reason: Option<FinishReason>,
    ) -> Result<Self, serde_json::Error> {
        let view = message.view()?;
        let texts = view.content.as_ref().map(Content::texts);
        let calls = view.tool_calls.unwrap_or_default().into_iter();
        let calls = calls.filter_map(|call| {
            let (name, arguments, form) = match (call.function, call.custom) {
                (Some(it), _) => (it.name, it.arguments, CallForm::Function),
                (None, Some(it)) => (it.name, it.input, CallForm::Custom),
                (None, None) => return None,
            };
            Some(ToolCall {
                id: call.id,
                name,
                arguments,
                form,
            })
        });
        let older = view.function_call.map(|it| ToolCall {
            id: String::new(),
            name: it.name,
            arguments: it.arguments,
            form: CallForm::Older,
        });
        Ok(Self {
            index: 0,
            content: texts.map(Iterator::collect),
            refusal: view.refusal,
            tool_calls: calls.chain(older).collect(),
            finish_reason,
            thinking_blocks: view.thinking_blocks,
            ..Self::default()
        })
    }
}

impl ChatCompletionResponse {
    /// The body for an answer. `id` is the completion's id, `model` the model that answered.
    pub fn new(id: String, created: Timestamp, model: String, answer: LlmResponse) -> Self {
        let usage = answer.usage;
        let choices = answer.choices.into_iter().map(|mut choice| Choice {
            index: choice.index,
            logprobs: choice.logprobs.take(),
            finish_reason: choice.finish_reason,
            message: choice.into(),
        });
        Self {
            id,
            object: "chat.completion",
            created: created.as_secs(),
            model,
            choices: choices.collect(),
            usage,
            status: None,
            incomplete_reason: None,
            clawless: None,
        }
    }

    /// Says what server tools did for the answer.
    #[must_use]
    pub fn with_activity(mut self, tool_executions: Vec<ToolActivity>) -> Self {
        self.clawless = Some(Extension { tool_executions });
        self
    }

    /// Says of a stored answer whether it came to its end, and why not.
    #[must_use]
    pub fn with_status(mut self, incomplete: Option<ErrorCode>) -> Self {
        let complete = incomplete.is_none();
        self.status = Some(if complete { "complete" } else { "incomplete" });
        self.incomplete_reason = incomplete.map(ErrorCode::as_str);
        self
    }
}
