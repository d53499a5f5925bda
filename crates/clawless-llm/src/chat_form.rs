//! Translates messages of Anthropic's content blocks for wires that have none.

use std::borrow::Cow;

use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::{Message, Role};
use serde::{Deserialize, Serialize};

use crate::error::LlmError;

/// The result of a tool that returned images only. They follow in a message of the user.
const IMAGES_FOLLOW: &str = "The result is in the next message of the user.";

/// The messages in the format of chat completions. Borrowed if all of them have it. Images in the
/// results of tools follow the results in a message of the user: most servers accept only texts as
/// results.
///
/// # Errors
/// A block that has no form in chat completions.
pub(crate) fn of(messages: &[Message]) -> Result<Cow<'_, [Message]>, LlmError> {
    if !messages.iter().any(Message::has_blocks) {
        return Ok(Cow::Borrowed(messages));
    }
    let mut translated = Vec::with_capacity(messages.len());
    let mut images = Vec::new();
    for (position, message) in messages.iter().enumerate() {
        if message.role() != Role::Tool {
            translated.extend(user_message(std::mem::take(&mut images))?);
        }
        let chat_form = message.to_chat_form().map_err(|it| LlmError::Unsupported {
            message: format!("This model does not take {}.", it.what),
            param: format!("messages[{position}].content[{}]", it.position),
        })?;
        translated.push(match chat_form {
            None => message.clone(),
            Some(result) if result.role() == Role::Tool => text_result(result, &mut images)?,
            Some(other) => other,
        });
    }
    translated.extend(user_message(images)?);
    Ok(Cow::Owned(translated))
}

/// The member of texts and documents that this format has no place for: sources.
pub(crate) const CITATIONS: &str = "messages[].content[].citations";

/// Whether content blocks have sources, which other formats have no place for.
pub(crate) fn has_citations(messages: &[Message]) -> bool {
    let is_set = |block: &Json| {
        let members: Option<Members> = block.read().ok();
        let citations = members.and_then(|it| it.get("citations").cloned());
        citations.is_some_and(|it| !matches!(it.as_str(), "null" | "[]"))
    };
    let mut marked = messages
        .iter()
        .filter(|it| it.has_blocks() && it.raw().as_str().contains("\"citations\""));
    marked.any(|message| message.blocks().iter().flatten().any(is_set))
}

/// A tool message with the text of its content only. Other parts are moved to `images`.
fn text_result(message: Message, images: &mut Vec<Json>) -> Result<Message, LlmError> {
    #[derive(Deserialize)]
    struct ToolResult {
        tool_call_id: String,
        content: Json,
    }
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        text: Option<String>,
    }
    let result: ToolResult = message.raw().read().map_err(unreadable)?;
    let Ok(parts) = result.content.read::<Vec<Json>>() else {
        return Ok(message);
    };
    let mut texts = Vec::new();
    for raw in parts {
        let part: Part = raw.read().map_err(unreadable)?;
        match part.text {
            Some(text) => texts.push(text),
            None => images.push(raw),
        }
    }
    let text = match texts.join("\n") {
        text if text.is_empty() => IMAGES_FOLLOW.to_owned(),
        text => text,
    };
    Message::tool_result(&result.tool_call_id, &text).map_err(unreadable)
}

/// A message of the user with these parts; none without parts.
fn user_message(parts: Vec<Json>) -> Result<Option<Message>, LlmError> {
    #[derive(Serialize)]
    struct User {
        role: Role,
        content: Vec<Json>,
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let role = Role::User;
    let raw = Json::from_value(&User {
        role,
        content: parts,
    });
    Ok(Some(Message::from_stored(role, raw.map_err(unreadable)?)))
}

#[allow(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unreadable(error: serde_json::Error) -> LlmError {
    LlmError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, blocks: &[&str]) -> Message {
        let blocks = blocks.iter().map(|it| Json::parse((*it).to_owned()));
        let blocks: Vec<Json> = blocks.collect::<Result<_, _>>().expect("JSON");
        Message::from_blocks(role, &blocks).expect("a message")
    }

    #[test]
    fn images_of_results_follow_the_last_result() {
        let image = r#"{"type":"image","source":{"type":"url","url":"https://x/y.png"}}"#;
        let results = [
            format!(r#"{{"type":"tool_result","tool_use_id":"a","content":[{image}]}}"#),
            r#"{"type":"tool_result","tool_use_id":"b","content":"done"}"#.to_owned(),
        ];
        let messages = [
            message(Role::Tool, &[&results[0]]),
            message(Role::Tool, &[&results[1]]),
            Message::text(Role::User, "and?").expect("a message"),
        ];
        let translated = of(&messages).expect("translated");
        let raw: Vec<&str> = translated.iter().map(|it| it.raw().as_str()).collect();
        assert_eq!(
            raw,
            [
                r#"{"role":"tool","tool_call_id":"a","content":"The result is in the next message of the user."}"#,
                r#"{"role":"tool","tool_call_id":"b","content":"done"}"#,
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}"#,
                r#"{"role":"user","content":"and?"}"#,
            ]
        );
    }

    #[test]
    fn sources_are_found() {
        let text = |citations: &str| {
            let block = format!(r#"{{"type":"text","text":"a","citations":{citations}}}"#);
            has_citations(&[message(Role::Assistant, &[&block])])
        };
        assert!(text(r#"[{"cited_text":"a"}]"#) && text(r#"{"enabled":true}"#));
        assert!(!text("null") && !text("[]"));
    }

    #[test]
    fn a_block_without_a_form_is_refused() {
        let messages = [message(
            Role::User,
            &[r#"{"type":"container_upload","file_id":"f"}"#],
        )];
        let error = of(&messages).expect_err("no form");
        assert!(error.to_string().contains("container_upload"), "{error}");
    }
}
