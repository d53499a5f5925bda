//! Translates a message of content blocks into the format of chat completions.

use serde::Serialize;

use super::block::{Block, Document};
use crate::chat::message::Message;
use crate::chat::role::Role;
use crate::chat::tool_calls::message_calls;
use crate::json::Json;
use crate::members::Members;
use crate::tool::ToolCall;

/// A block has no form in chat completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untranslatable {
    /// The position of the block in its message.
    pub position: usize,
    /// What it is, as the object of "does not take".
    pub what: String,
}

/// A content part.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WirePart {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Json>,
    },
    ImageUrl {
        image_url: Url,
    },
    File {
        file: File,
    },
}

#[derive(Debug, Serialize)]
struct Url {
    url: String,
}

#[derive(Debug, Serialize)]
struct File {
    filename: String,
    file_data: String,
}

/// A content: a plain text if it is one part without a mark.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WireContent {
    Text(String),
    Parts(Vec<WirePart>),
}

#[derive(Debug, Serialize)]
struct WireMessage {
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    content: Option<WireContent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_blocks: Option<Vec<Json>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<crate::chat::MessageToolCall>,
}

/// The text before the result of a tool that failed. Chat completions have no member for that.
const FAILED: &str = "Error: ";

impl Message {
    /// The message in the format of chat completions; `None` if it has that already. A tool's result
    /// may have images, which many servers take in messages of the user only.
    ///
    /// # Errors
    /// A block that this format has no place for.
    pub fn to_chat_form(&self) -> Result<Option<Self>, Untranslatable> {
        let Some(blocks) = self.blocks() else {
            return Ok(None);
        };
        let (mut parts, mut calls, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut reasoning, mut tool_call_id) = (String::new(), None);
        for (position, raw) in blocks.into_iter().enumerate() {
            let untranslatable = |what: String| Untranslatable { position, what };
            let block = Block::read(&raw).map_err(|invalid| untranslatable(invalid.reason))?;
            match block {
                Block::Thinking { thinking, .. } => {
                    reasoning.push_str(&thinking);
                    thoughts.push(raw);
                }
                Block::RedactedThinking => thoughts.push(raw),
                Block::ToolUse { id, name, input } => calls.push(ToolCall {
                    id,
                    name,
                    arguments: input.as_str().to_owned(),
                    ..ToolCall::default()
                }),
                Block::ToolResult {
                    id,
                    content,
                    is_error,
                } => {
                    tool_call_id = Some(id);
                    if is_error {
                        parts.push(text(FAILED));
                    }
                    for block in content {
                        push(block, None, &mut parts).map_err(untranslatable)?;
                    }
                }
                block => push(block, mark(&raw), &mut parts).map_err(untranslatable)?,
            }
        }
        let has_content = !parts.is_empty() || calls.is_empty();
        let message = WireMessage {
            role: self.role(),
            tool_call_id,
            content: has_content.then(|| content(parts)),
            reasoning_content: (!reasoning.is_empty()).then_some(reasoning),
            thinking_blocks: (!thoughts.is_empty()).then_some(thoughts),
            tool_calls: message_calls(calls).0,
        };
        let raw = Json::from_value(&message).map_err(|error| Untranslatable {
            position: 0,
            what: error.to_string(),
        })?;
        Ok(Some(Self::from_stored(self.role(), raw)))
    }
}

/// The prompt cache mark of a block.
fn mark(block: &Json) -> Option<Json> {
    if !block.as_str().contains("\"cache_control\"") {
        return None;
    }
    let members: Members = block.read().ok()?;
    let mark = members.get("cache_control")?;
    (mark.as_str() != "null").then(|| mark.clone())
}

fn text(text: &str) -> WirePart {
    WirePart::Text {
        text: text.to_owned(),
        cache_control: None,
    }
}

/// Adds the parts that a block is. The error says what has no form.
fn push(block: Block, cache_control: Option<Json>, out: &mut Vec<WirePart>) -> Result<(), String> {
    match block {
        Block::Text(text) | Block::Document(Document::Text(text)) => out.push(WirePart::Text {
            text,
            cache_control,
        }),
        Block::Image(url) if url.is_empty() => return Err("uploaded images".to_owned()),
        Block::Image(url) => out.push(WirePart::ImageUrl {
            image_url: Url { url },
        }),
        Block::Document(Document::Inline { url, title }) => out.push(WirePart::File {
            file: File {
                filename: title.unwrap_or_else(|| "document.pdf".to_owned()),
                file_data: url,
            },
        }),
        Block::Document(Document::Blocks(blocks)) => {
            for block in blocks {
                push(block, None, out)?;
            }
        }
        Block::Document(Document::Reference(what)) => return Err(what.to_owned()),
        other => return Err(format!("blocks of type `{}`", other.kind())),
    }
    Ok(())
}

/// Texts without marks become one text, as servers of plain texts need it.
fn content(parts: Vec<WirePart>) -> WireContent {
    let is_plain = |part: &WirePart| {
        matches!(
            part,
            WirePart::Text {
                cache_control: None,
                ..
            }
        )
    };
    if !parts.iter().all(is_plain) {
        return WireContent::Parts(parts);
    }
    let mut texts = parts.into_iter().filter_map(|part| match part {
        WirePart::Text { text, .. } => Some(text),
        _ => None,
    });
    let mut joined = texts.next().unwrap_or_default();
    for text in texts {
        if joined != FAILED {
            joined.push('\n');
        }
        joined.push_str(&text);
    }
    WireContent::Text(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat_form(role: Role, blocks: &[&str]) -> Result<String, Untranslatable> {
        let blocks = blocks.iter().map(|it| Json::parse((*it).to_owned()));
        let blocks: Vec<Json> = blocks.collect::<Result<_, _>>().expect("JSON");
        let message = Message::from_blocks(role, &blocks).expect("a message");
        let translated = message.to_chat_form()?.expect("translated");
        Ok(translated.raw().as_str().to_owned())
    }

    #[test]
    fn blocks_become_members_of_chat() {
        let cases: [(Role, &[&str], &str); 5] = [
            (
                Role::User,
                &[
                    r#"{"type":"text","text":"a"}"#,
                    r#"{"type":"text","text":"b"}"#,
                ],
                r#"{"role":"user","content":"a\nb"}"#,
            ),
            (
                Role::User,
                &[
                    r#"{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}"#,
                    r#"{"type":"image","source":{"type":"url","url":"https://x/y.png"}}"#,
                ],
                r#"{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}"#,
            ),
            (
                Role::Assistant,
                &[
                    r#"{"type":"thinking","thinking":"hm","signature":"s"}"#,
                    r#"{"type":"tool_use","id":"t","name":"f","input":{"a": 1}}"#,
                ],
                r#"{"role":"assistant","content":null,"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}],"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]}"#,
            ),
            (
                Role::Tool,
                &[r#"{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"no"}"#],
                r#"{"role":"tool","tool_call_id":"t","content":"Error: no"}"#,
            ),
            (
                Role::User,
                &[
                    r#"{"type":"document","title":"T.pdf","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}}"#,
                ],
                r#"{"role":"user","content":[{"type":"file","file":{"filename":"T.pdf","file_data":"data:application/pdf;base64,AA=="}}]}"#,
            ),
        ];
        for (role, blocks, expected) in cases {
            assert_eq!(chat_form(role, blocks).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_block_without_a_form_is_named() {
        let blocks = [
            r#"{"type":"text","text":"a"}"#,
            r#"{"type":"container_upload","file_id":"f"}"#,
        ];
        let error = chat_form(Role::User, &blocks).expect_err("no form");
        assert_eq!(
            (error.position, error.what.as_str()),
            (1, "blocks of type `container_upload`")
        );
    }

    #[test]
    fn a_message_of_blocks_keeps_its_bytes_and_is_viewed_like_any_other() {
        let block = r#"{ "type":"tool_use", "id":"t","name":"f","input":{ "x":1.0 },"more":[ ] }"#;
        let blocks = [Json::parse(block.to_owned()).expect("JSON")];
        let message = Message::from_blocks(Role::Assistant, &blocks).expect("a message");
        assert_eq!(message.blocks().expect("blocks")[0].as_str(), block);
        let view = message.view().expect("a view");
        let call = &view.tool_calls.expect("calls")[0];
        let function = call.function.as_ref().expect("a function");
        assert_eq!(
            (
                call.id.as_str(),
                function.name.as_str(),
                function.arguments.as_str()
            ),
            ("t", "f", r#"{ "x":1.0 }"#)
        );
        assert_eq!(view.content, None);
        let chat = Message::text(Role::User, "a").expect("a message");
        assert!(!chat.has_blocks() && chat.to_chat_form() == Ok(None));
    }
}
