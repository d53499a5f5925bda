//! What of a conversation is replayed. Messages go out as they came in, but for the thoughts of
//! models: no server of this wire signed them, so none gets them back.

use std::borrow::Cow;

use clawless_core::json::Json;
use clawless_core::{Message, Role};

use crate::error::LlmError;
use crate::members::Members;

/// The members of an assistant's message that hold thoughts.
const THOUGHTS: [&str; 3] = ["reasoning_content", "reasoning", "thinking_blocks"];

/// The messages without the thoughts in them. Borrowed where there are none, which is the rule.
pub(super) fn without_thoughts(messages: &[Message]) -> Result<Cow<'_, [Message]>, LlmError> {
    if !messages.iter().any(has_thoughts) {
        return Ok(Cow::Borrowed(messages));
    }
    let unreadable = |error: serde_json::Error| LlmError::Malformed(error.to_string());
    let kept = messages.iter().map(|message| {
        if !has_thoughts(message) {
            return Ok(message.clone());
        }
        let mut members: Members = message.raw().read().map_err(unreadable)?;
        members
            .0
            .retain(|(name, _)| !THOUGHTS.contains(&name.as_str()));
        let raw = Json::of(&members).map_err(unreadable)?;
        Ok(Message::from_stored(message.role(), raw))
    });
    kept.collect::<Result<Vec<_>, _>>().map(Cow::Owned)
}

/// Whether a message may hold thoughts: the words for them stand somewhere in it.
fn has_thoughts(message: &Message) -> bool {
    let text = message.raw().as_str();
    message.role() == Role::Assistant
        && (text.contains("\"reasoning") || text.contains("\"thinking_blocks\""))
}
