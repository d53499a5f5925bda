//! Messages, in this wire's words: system texts apart, results of tools inside a user's message,
//! and never two messages of one role in a row.

use clawless_core::Message;
use clawless_core::chat::{Content, MessageView, Part, Role, ToolCallView};
use clawless_core::json::Json;
use serde::Serialize;

use super::signed;
use crate::error::LlmError;

/// Marks the end of what the provider should keep in its prompt cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CacheControl {
    r#type: &'static str,
}

impl CacheControl {
    pub(super) const EPHEMERAL: Self = Self {
        r#type: "ephemeral",
    };
}

#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Vec<Block>,
    pub(super) messages: Vec<WireMessage>,
}

#[derive(Debug, Serialize)]
pub(super) struct WireMessage {
    pub(super) role: &'static str,
    pub(super) content: Vec<Block>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Image {
        source: Source,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolUse {
        id: String,
        name: String,
        input: Json,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    /// A thought, as it was signed.
    #[serde(untagged)]
    Signed(Json),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source {
    Base64 { media_type: String, data: String },
    Url { url: String },
}

impl Block {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            cache_control: None,
        }
    }

    /// Asks the provider to cache everything up to here.
    pub(super) fn mark(&mut self) {
        if let Self::Text { cache_control, .. }
        | Self::Image { cache_control, .. }
        | Self::ToolResult { cache_control, .. } = self
        {
            *cache_control = Some(CacheControl::EPHEMERAL);
        }
    }
}

/// Translates a conversation. Thoughts that `thinker` signed go along, where that model is to
/// think again: it takes them back within a chain of tool calls, and needs them there.
pub(super) fn convert(
    messages: &[Message],
    thinker: Option<&str>,
) -> Result<Conversation, LlmError> {
    let mut conversation = Conversation::default();
    for (position, message) in messages.iter().enumerate() {
        let view = read(message)?;
        let at = |member: &str| format!("messages[{position}]{member}");
        match view.role {
            Role::System | Role::Developer => {
                let texts = view.content.iter().flat_map(Content::texts);
                let texts = texts.filter(|text| !text.is_empty());
                conversation.system.extend(texts.map(Block::text));
            }
            Role::User => {
                let blocks = content(view.content, &at)?;
                conversation.append("user", blocks);
            }
            Role::Tool => {
                let result = Block::ToolResult {
                    tool_use_id: safe_id(&view.tool_call_id.unwrap_or_default()),
                    content: content(view.content, &at)?,
                    cache_control: None,
                };
                conversation.append("user", vec![result]);
            }
            Role::Assistant => {
                let blocks = assistant(view, thinker, &at)?;
                conversation.append("assistant", blocks);
            }
            Role::Function => return Err(unsupported(at(".role"), "function messages")),
        }
    }
    Ok(conversation)
}

/// Whether a model may think about this conversation: within a chain of tool calls only where the
/// calls came with thoughts that it signed, else the API refuses the request.
pub(super) fn may_think(messages: &[Message], model: &str) -> bool {
    let last = messages.iter().rev().find(|it| it.role() != Role::Tool);
    let in_a_chain = messages.last().is_some_and(|it| it.role() == Role::Tool);
    let signed = last
        .and_then(|message| message.view().ok())
        .and_then(|view| signed::by(model, &view.thinking_blocks?))
        .is_some_and(|thoughts| !thoughts.is_empty());
    !in_a_chain || signed
}

impl Conversation {
    fn append(&mut self, role: &'static str, blocks: Vec<Block>) {
        if blocks.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => self.messages.push(WireMessage {
                role,
                content: blocks,
            }),
        }
    }
}

fn assistant(
    view: MessageView,
    thinker: Option<&str>,
    at: &impl Fn(&str) -> String,
) -> Result<Vec<Block>, LlmError> {
    if view.audio.is_some() {
        return Err(unsupported(at(".audio"), "audio"));
    }
    let mut blocks = Vec::new();
    if let (Some(thinker), Some(thoughts)) = (thinker, view.thinking_blocks) {
        let signed = signed::by(thinker, &thoughts)
            .ok_or_else(|| unsupported(at(".thinking_blocks"), "thoughts of this form"))?;
        blocks.extend(signed.into_iter().map(Block::Signed));
    }
    blocks.extend(content(view.content, at)?);
    let refusal = view.refusal.filter(|text| !text.is_empty());
    blocks.extend(refusal.map(Block::text));
    for call in view.tool_calls.into_iter().flatten() {
        blocks.push(tool_use(call, at)?);
    }
    Ok(blocks)
}

fn tool_use(call: ToolCallView, at: &impl Fn(&str) -> String) -> Result<Block, LlmError> {
    let Some(function) = call.function else {
        return Err(unsupported(at(".tool_calls"), "custom tools"));
    };
    Ok(Block::ToolUse {
        id: safe_id(&call.id),
        name: function.name,
        input: input(function.arguments)?,
    })
}

/// Arguments as the object that this wire wants. What a model once wrote that is no object is
/// shown to it inside one.
fn input(arguments: String) -> Result<Json, LlmError> {
    #[derive(Serialize)]
    struct Invalid {
        invalid_arguments: String,
    }
    let trimmed = arguments.trim();
    if trimmed.is_empty() {
        return json(&serde_json::Map::new());
    }
    match Json::parse(trimmed.to_owned()) {
        Ok(object) if trimmed.starts_with('{') => Ok(object),
        _ => json(&Invalid {
            invalid_arguments: arguments,
        }),
    }
}

fn json<T: Serialize>(value: &T) -> Result<Json, LlmError> {
    Json::of(value).map_err(|error| LlmError::Malformed(error.to_string()))
}

/// A content as blocks, without empty texts, which the API refuses.
fn content(content: Option<Content>, at: &impl Fn(&str) -> String) -> Result<Vec<Block>, LlmError> {
    let parts = match content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![Part::Text(text)],
        Some(Content::Parts(parts)) => parts,
    };
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text(text) | Part::Refusal(text) if text.is_empty() => {}
            Part::Text(text) | Part::Refusal(text) => blocks.push(Block::text(text)),
            Part::Image(image) => blocks.push(Block::Image {
                source: source(&image.url).ok_or_else(|| {
                    unsupported(
                        at(".content"),
                        "images other than https: and base64 data: URLs",
                    )
                })?,
                cache_control: None,
            }),
            Part::Audio => return Err(unsupported(at(".content"), "audio")),
            Part::File => return Err(unsupported(at(".content"), "files")),
        }
    }
    Ok(blocks)
}

fn source(url: &str) -> Option<Source> {
    if url.starts_with("https://") {
        return Some(Source::Url {
            url: url.to_owned(),
        });
    }
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(Source::Base64 {
        media_type: media_type.to_owned(),
        data: data.to_owned(),
    })
}

/// An id of the characters that this wire allows; the ids of other providers mostly are.
fn safe_id(id: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '_'
        }
    };
    id.chars().map(safe).collect()
}

fn read(message: &Message) -> Result<MessageView, LlmError> {
    message
        .view()
        .map_err(|error| LlmError::Malformed(format!("an unreadable message: {error}")))
}

pub(super) fn unsupported(param: impl Into<String>, what: &str) -> LlmError {
    LlmError::Unsupported {
        message: format!("This model does not take {what}."),
        param: param.into(),
    }
}
