//! Model responses as stored assistant messages, and back.

use serde::Serialize;

use super::response::LlmChoice;
use crate::chat::{
    Content, FinishReason, Message, MessageFunction, MessageToolCall, message_calls,
};
use crate::json::Json;
use crate::members::Members;
use crate::tool::{CallForm, ToolCall};

/// The member of a stored message that names the model that wrote it, as `provider/model`. Only
/// that model gets the provider's own members back; no provider sees this one.
pub const ORIGIN: &str = "clawless_origin";

/// The member of a stored message that holds the provider's own members of the choice. Clients get
/// them beside the message again; no provider sees them.
pub const CHOICE: &str = "clawless_choice";

/// The most bytes of a provider's own members that a session stores with a message. An image in an
/// answer is larger, and left out.
const MAX_STORED_BYTES: usize = 256 * 1024;

/// Members of a stored message that have a meaning here.
const KNOWN: [&str; 10] = [
    "role",
    "content",
    "name",
    "refusal",
    "reasoning_content",
    "thinking_blocks",
    "tool_calls",
    "function_call",
    "clawless_blocks",
    ORIGIN,
];

/// Members of a tool call, of its function and of its custom tool that have a meaning here.
const KNOWN_IN_CALLS: [&str; 4] = ["id", "type", "function", "custom"];
const KNOWN_IN_FUNCTIONS: [&str; 2] = ["name", "arguments"];
const KNOWN_IN_CUSTOM: [&str; 2] = ["name", "input"];

impl LlmChoice {
    /// The choice as the assistant message that a session stores. `origin` is the model that wrote
    /// it, as `provider/model`. Contains no unsigned reasoning, which providers do not accept,
    /// except beside tool calls, where the same model may need it to go on; and no empty `refusal`.
    pub fn to_stored(&self, origin: &str) -> Result<Json, serde_json::Error> {
        #[derive(Serialize)]
        struct Stored<'a> {
            role: &'static str,
            content: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            refusal: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reasoning_content: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            thinking_blocks: Option<&'a Json>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tool_calls: Vec<MessageToolCall>,
            #[serde(skip_serializing_if = "Option::is_none")]
            function_call: Option<MessageFunction>,
            #[serde(flatten)]
            members: Members,
            #[serde(skip_serializing_if = "Members::is_empty")]
            clawless_choice: &'a Members,
            #[serde(skip_serializing_if = "Option::is_none")]
            clawless_origin: Option<&'a str>,
        }
        let reasoning = self.reasoning.as_deref();
        let reasoning = reasoning.filter(|_| !self.tool_calls.is_empty());
        let mut left = MAX_STORED_BYTES;
        let mut fits = |(_, value): &(String, Json)| {
            let rest = left.checked_sub(value.as_str().len());
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let (mut members, mut calls) = (self.members.clone(), self.tool_calls.clone());
        let mut choice_members = self.choice_members.clone();
        for call in &mut calls {
            call.members.0.retain(&mut fits);
        }
        members.0.retain(&mut fits);
        choice_members.0.retain(fits);
        let has_members = !members.is_empty()
            || !choice_members.is_empty()
            || calls.iter().any(|call| !call.members.is_empty());
        let needs_origin = has_members || reasoning.is_some();
        let (tool_calls, function_call) = message_calls(calls);
        Json::from_value(&Stored {
            role: "assistant",
            content: self.content.as_deref(),
            refusal: self.refusal.as_deref(),
            reasoning_content: reasoning,
            thinking_blocks: self.thinking_blocks.as_ref(),
            tool_calls,
            function_call,
            members,
            clawless_choice: &choice_members,
            clawless_origin: needs_origin.then_some(origin),
        })
    }

    /// The choice of a stored message, with the finish reason of its turn.
    ///
    /// # Errors
    /// The message has another form than [`Self::to_stored`] writes.
    pub fn from_stored(
        message: &Message,
        finish_reason: Option<FinishReason>,
    ) -> Result<Self, serde_json::Error> {
        let view = message.view()?;
        let texts = view.content.as_ref().map(Content::texts);
        let mut members: Members = message.raw().read()?;
        let choice_members = members.take_object(CHOICE);
        let mut of_calls = members
            .get("tool_calls")
            .and_then(|calls| calls.read::<Vec<Members>>().ok())
            .unwrap_or_default()
            .into_iter();
        let calls = view.tool_calls.unwrap_or_default().into_iter();
        let calls = calls.filter_map(|call| {
            let members = members_of_call(of_calls.next().unwrap_or_default());
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
                members,
            })
        });
        let legacy = view.function_call.map(|it| ToolCall {
            id: String::new(),
            name: it.name,
            arguments: it.arguments,
            form: CallForm::Older,
            members: Members::default(),
        });
        Ok(Self {
            index: 0,
            content: texts.map(Iterator::collect),
            refusal: view.refusal,
            tool_calls: calls.chain(legacy).collect(),
            finish_reason,
            reasoning: view.reasoning_content,
            thinking_blocks: view.thinking_blocks,
            members: members.without(&KNOWN),
            choice_members,
            ..Self::default()
        })
    }
}

/// The members of a call that have no meaning here, as [`ToolCall::members`] holds them.
fn members_of_call(mut call: Members) -> Members {
    let of_function = call.take_object("function").without(&KNOWN_IN_FUNCTIONS);
    let of_custom = call.take_object("custom").without(&KNOWN_IN_CUSTOM);
    let mut members = call.without(&KNOWN_IN_CALLS);
    members.push_object("function", &of_function);
    members.push_object("custom", &of_custom);
    members
}
