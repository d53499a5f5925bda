//! The conversation of a request: system prompt and messages.
//!
//! A message of content blocks stays one, except that the results of tools are messages of their own,
//! as they are in every other format.

use clawless_core::chat::{Block, InvalidBlock, Message, Role};
use clawless_core::json::Json;
use clawless_core::{ApiError, ErrorCode};
use serde::Deserialize;

use super::parameters::{missing, read_at};

/// The system prompt, if there is one.
pub(super) fn system(prompt: Option<&Json>) -> Result<Option<Message>, ApiError> {
    let Some(prompt) = prompt else {
        return Ok(None);
    };
    if prompt.as_str().starts_with('"') {
        let text: String = read_at(prompt, "system")?;
        let message = Message::text(Role::System, &text).map_err(ApiError::internal)?;
        return Ok((!text.is_empty()).then_some(message));
    }
    let blocks: Vec<Json> = read_at(prompt, "system")?;
    for (position, block) in blocks.iter().enumerate() {
        let path = format!("system[{position}]");
        let parsed = Block::read(block).map_err(|invalid| refusal(&path, &invalid))?;
        if !matches!(parsed, Block::Text(_) | Block::Other(_)) {
            return Err(misplaced(&path, "a system prompt", &parsed));
        }
    }
    if blocks.is_empty() {
        return Ok(None);
    }
    let message = Message::from_blocks(Role::System, &blocks);
    Ok(Some(message.map_err(ApiError::internal)?))
}

/// The messages.
pub(super) fn messages(incoming: &[Json]) -> Result<Vec<Message>, ApiError> {
    if incoming.is_empty() {
        let message = "`messages` must contain at least one message.";
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param("messages"));
    }
    let mut messages = Vec::with_capacity(incoming.len());
    for (position, message) in incoming.iter().enumerate() {
        add(message, &format!("messages[{position}]"), &mut messages)?;
    }
    Ok(messages)
}

#[derive(Deserialize)]
struct Incoming {
    role: Role,
    content: Option<Json>,
}

/// Adds a message.
fn add(message: &Json, path: &str, out: &mut Vec<Message>) -> Result<(), ApiError> {
    let Incoming { role, content } = read_at(message, path)?;
    if !matches!(role, Role::User | Role::Assistant | Role::System) {
        let path = format!("{path}.role");
        let message = format!("Invalid `{path}`: it is `user`, `assistant` or `system`.");
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param(path));
    }
    let path = format!("{path}.content");
    let content = content.ok_or_else(|| missing(&path))?;
    if content.as_str().starts_with('"') {
        let text: String = read_at(&content, &path)?;
        out.push(Message::text(role, &text).map_err(ApiError::internal)?);
        return Ok(());
    }
    let blocks: Vec<Json> = read_at(&content, &path)?;
    if blocks.is_empty() {
        let message = format!("Invalid `{path}`: a list of blocks must not be empty.");
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param(path));
    }
    let mut together = Vec::with_capacity(blocks.len());
    for (position, raw) in blocks.into_iter().enumerate() {
        let path = format!("{path}[{position}]");
        let block = Block::read(&raw).map_err(|invalid| refusal(&path, &invalid))?;
        if !may_have(role, &block) {
            return Err(misplaced(&path, "this message", &block));
        }
        if matches!(block, Block::ToolResult { .. }) {
            push(role, &mut together, out)?;
            push(Role::Tool, &mut vec![raw], out)?;
        } else {
            together.push(raw);
        }
    }
    push(role, &mut together, out)
}

/// Adds a message of these blocks, if there are any.
fn push(role: Role, blocks: &mut Vec<Json>, out: &mut Vec<Message>) -> Result<(), ApiError> {
    if !blocks.is_empty() {
        let message = Message::from_blocks(role, &std::mem::take(blocks));
        out.push(message.map_err(ApiError::internal)?);
    }
    Ok(())
}

/// Whether a message of this role may have a block. The provider decides about types that are not
/// known here.
const fn may_have(role: Role, block: &Block) -> bool {
    match block {
        Block::Text(_) | Block::Other(_) => true,
        Block::Image(_) | Block::Document(_) | Block::ToolResult { .. } => {
            matches!(role, Role::User)
        }
        Block::ToolUse { .. } | Block::Thinking { .. } | Block::RedactedThinking => {
            matches!(role, Role::Assistant)
        }
    }
}

fn refusal(path: &str, invalid: &InvalidBlock) -> ApiError {
    let path = format!("{path}{}", invalid.path);
    let message = format!("Invalid `{path}`: {}.", invalid.reason);
    ApiError::new(ErrorCode::InvalidValue, message).param(path)
}

fn misplaced(path: &str, place: &str, block: &Block) -> ApiError {
    let message = format!(
        "Invalid `{path}`: {place} has no blocks of type `{}`.",
        block.kind()
    );
    ApiError::new(ErrorCode::InvalidValue, message).param(path)
}
