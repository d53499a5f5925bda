//! Model responses as stored assistant messages, and back.

use serde::Serialize;

use super::response::LlmChoice;
use crate::chat::{
    Content, FinishReason, Message, MessageFunction, MessageToolCall, message_calls,
};
use crate::json::Json;
use crate::tool::{CallForm, ToolCall};

impl LlmChoice {
    /// The choice as the assistant message that a session stores. Contains no unsigned reasoning,
    /// because providers do not accept it, and no empty `refusal`.
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
            tool_calls: Vec<MessageToolCall>,
            #[serde(skip_serializing_if = "Option::is_none")]
            function_call: Option<MessageFunction>,
        }
        let (tool_calls, function_call) = message_calls(self.tool_calls.clone());
        Json::of(&Stored {
            role: "assistant",
            content: self.content.as_deref(),
            refusal: self.refusal.as_deref(),
            thinking_blocks: self.thinking_blocks.as_ref(),
            tool_calls,
            function_call,
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
        let legacy = view.function_call.map(|it| ToolCall {
            id: String::new(),
            name: it.name,
            arguments: it.arguments,
            form: CallForm::Older,
        });
        Ok(Self {
            index: 0,
            content: texts.map(Iterator::collect),
            refusal: view.refusal,
            tool_calls: calls.chain(legacy).collect(),
            finish_reason,
            thinking_blocks: view.thinking_blocks,
            ..Self::default()
        })
    }
}
