//! Message encoding for the Messages API: system messages are separate, tool results belong to a
//! user message, and consecutive messages of one role are merged.

use clawless_core::Message;
use clawless_core::chat::{Content, MessageView, Part, Role, ToolCallView};
use clawless_core::json::Json;
use clawless_core::llm::{CONTENT_BLOCKS, ContentBlocks, ProviderKind};
use clawless_core::members::Members;
use serde::Serialize;

use super::cache::Marks;
use super::content_block::{Block, WireMessage};
use super::images;
use super::native;
use super::signed;
use crate::call_id_map::CallIdMap;
use crate::error::LlmError;
use crate::profile::Profile;

/// Placeholder user message: the API requires conversations to begin with one.
const OPENING: &str = "Begin.";

#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Vec<Block>,
    pub(super) messages: Vec<WireMessage>,
}

/// Translates a conversation. `model` is set if the model may reason: its signed reasoning is then
/// included, which the API requires within a chain of tool calls.
pub(super) fn convert(messages: &[Message], model: Option<&str>) -> Result<Conversation, LlmError> {
    let profile = Profile::default_of(ProviderKind::Anthropic);
    let mut ids = CallIdMap::new(profile.messages.call_ids);
    let mut conversation = Conversation::default();
    for (position, message) in messages.iter().enumerate() {
        if let Some(blocks) = message.blocks() {
            let blocks = native::blocks(position, blocks, &mut ids);
            conversation.append_native(message.role(), blocks);
            continue;
        }
        let view = read(message)?;
        let marks = Marks::of(message);
        let at = |member: &str| format!("messages[{position}]{member}");
        match view.role {
            Role::System | Role::Developer => {
                let blocks = content(view.content, &marks, &at)?;
                let texts = blocks.into_iter();
                let texts = texts.filter(|block| matches!(block, Block::Text { .. }));
                conversation.system.extend(texts);
            }
            Role::User => {
                let blocks = content(view.content, &marks, &at)?;
                conversation.append("user", blocks);
            }
            Role::Tool => {
                let mut result = Block::ToolResult {
                    tool_use_id: ids.of_result(&view.tool_call_id.unwrap_or_default()),
                    content: content(view.content, &Marks::default(), &at)?,
                    cache_control: None,
                };
                if marks.any() {
                    result.mark();
                }
                conversation.append("user", vec![result]);
            }
            Role::Assistant => {
                let own = own_blocks(position, message, model.is_some(), &mut ids);
                let mut of_call = |id: &str| ids.of_call(position, id);
                let blocks = assistant(view, own, &marks, model, &mut of_call, &at)?;
                conversation.append("assistant", blocks);
            }
            Role::Function => return Err(unsupported(at(".role"), "function messages")),
        }
    }
    conversation.complete();
    Ok(conversation)
}

/// Whether thinking can be enabled for this conversation. Within a chain of tool calls the API
/// requires the reasoning that the model signed with the calls. A user message directly after results
/// does not end the chain: it is sent in the same message as the results. An answer that the client has
/// begun is continued without thinking.
pub(super) fn may_think(messages: &[Message], model: &str) -> bool {
    if messages
        .last()
        .is_some_and(|it| it.role() == Role::Assistant)
    {
        return false;
    }
    let latest = messages.iter().rev();
    let mut latest = latest.skip_while(|it| it.role() == Role::User);
    let in_a_chain = latest.next().is_some_and(|it| it.role() == Role::Tool);
    let last = latest.find(|it| it.role() != Role::Tool);
    let signed = last
        .and_then(|message| message.view().ok())
        .and_then(|view| signed::select(model, &view.thinking_blocks?))
        .is_some_and(|thoughts| !thoughts.is_empty());
    !in_a_chain || signed
}

impl Conversation {
    /// Normalizes both ends of the conversation: it must begin with a user message, and an
    /// assistant prefill must not end in whitespace.
    fn complete(&mut self) {
        if self.messages.first().is_some_and(|it| it.role != "user") {
            let content = vec![Block::text(OPENING)];
            let role = "user";
            self.messages.insert(0, WireMessage { role, content });
        }
        let last = self.messages.last_mut().filter(|it| it.role != "user");
        if let Some(Block::Text { text, .. }) = last.and_then(|it| it.content.last_mut()) {
            text.truncate(text.trim_end().len());
        }
    }

    /// Appends the blocks of a client of this API.
    fn append_native(&mut self, role: Role, blocks: Vec<Block>) {
        match role {
            Role::System | Role::Developer => self.system.extend(blocks),
            Role::Assistant => self.append("assistant", blocks),
            Role::User | Role::Tool | Role::Function => self.append("user", blocks),
        }
    }

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

/// The content blocks of the model's own answer; `None` if its text is all of it.
fn own_blocks(
    position: usize,
    message: &Message,
    may_think: bool,
    ids: &mut CallIdMap,
) -> Option<Vec<Block>> {
    if !message.raw().as_str().contains(CONTENT_BLOCKS) {
        return None;
    }
    let members: Members = message.raw().read().ok()?;
    let mut blocks = ContentBlocks::of(&members)?.blocks;
    blocks.retain(|block| !native::is_blank(block) && (may_think || !native::is_thought(block)));
    Some(native::blocks(position, blocks, ids))
}

fn assistant(
    view: MessageView,
    own: Option<Vec<Block>>,
    marks: &Marks,
    model: Option<&str>,
    of_call: &mut impl FnMut(&str) -> String,
    at: &impl Fn(&str) -> String,
) -> Result<Vec<Block>, LlmError> {
    if view.audio.is_some() {
        return Err(unsupported(at(".audio"), "audio"));
    }
    let mut blocks = Vec::new();
    if let Some(own) = own {
        blocks = own;
    } else {
        if let (Some(model), Some(thoughts)) = (model, view.thinking_blocks) {
            let signed = signed::select(model, &thoughts)
                .ok_or_else(|| unsupported(at(".thinking_blocks"), "thoughts of this form"))?;
            blocks.extend(signed.into_iter().map(Block::Raw));
        }
        blocks.extend(content(view.content, &marks.of_parts(), at)?);
    }
    let refusal = view.refusal.filter(|text| !text.trim().is_empty());
    blocks.extend(refusal.map(Block::text));
    for (position, call) in view.tool_calls.into_iter().flatten().enumerate() {
        let mut block = tool_use(call, of_call, at)?;
        if marks.has_call(position) {
            block.mark();
        }
        blocks.push(block);
    }
    if marks.whole
        && let Some(last) = blocks.last_mut()
    {
        last.mark();
    }
    Ok(blocks)
}

fn tool_use(
    call: ToolCallView,
    of_call: &mut impl FnMut(&str) -> String,
    at: &impl Fn(&str) -> String,
) -> Result<Block, LlmError> {
    let Some(function) = call.function else {
        return Err(unsupported(at(".tool_calls"), "custom tools"));
    };
    Ok(Block::ToolUse {
        id: of_call(&call.id),
        name: safe_name(&function.name),
        input: input(function.arguments)?,
        cache_control: None,
    })
}

/// Arguments as an object, which the API requires. Other values are wrapped in one.
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
    Json::from_value(value).map_err(|error| LlmError::Malformed(error.to_string()))
}

/// Content as blocks, without blank texts, which the API rejects.
fn content(
    content: Option<Content>,
    marks: &Marks,
    at: &impl Fn(&str) -> String,
) -> Result<Vec<Block>, LlmError> {
    let parts = match content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![Part::Text(text)],
        Some(Content::Parts(parts)) => parts,
    };
    let mut blocks: Vec<Block> = Vec::with_capacity(parts.len());
    for (position, part) in parts.into_iter().enumerate() {
        let refuse = |what: &str| Err(unsupported(at(".content"), what));
        match part {
            Part::Text(text) | Part::Refusal(text) if text.trim().is_empty() => {}
            Part::Text(text) | Part::Refusal(text) => blocks.push(Block::text(text)),
            Part::Image(image) => {
                let source = images::source(&image.url);
                let source = source.map_err(|what| unsupported(at(".content"), what))?;
                blocks.push(Block::Image {
                    source,
                    cache_control: None,
                });
            }
            Part::Audio => return refuse("audio"),
            Part::File => return refuse("files"),
            Part::Extension(kind) => return refuse(&format!("parts of type `{kind}`")),
        }
        if marks.has(position)
            && let Some(last) = blocks.last_mut()
        {
            last.mark();
        }
    }
    if marks.whole
        && let Some(last) = blocks.last_mut()
    {
        last.mark();
    }
    Ok(blocks)
}

/// Replaces the characters of a tool name that the API rejects. Offered tools with such names are
/// rejected instead; calls in the history may belong to another provider's tools.
fn safe_name(name: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '_'
        }
    };
    name.chars().map(safe).collect()
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
