//! The view of a message of content blocks.

use super::super::content::{Content, ImageUrl, Part};
use super::super::view::{FunctionView, MessageView, ToolCallView};
use super::block::{Block, Document};
use crate::chat::role::Role;
use crate::json::Json;

/// The members of a message of these blocks, as a message of chat completions would have them. Invalid
/// blocks are shown as extensions.
pub(in crate::chat) fn view_of(role: Role, blocks: &[Json]) -> MessageView {
    let mut view = MessageView::of_role(role);
    let (mut parts, mut calls, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    for raw in blocks {
        let block = Block::read(raw).unwrap_or_else(|_| Block::Other(String::new()));
        match block {
            Block::ToolUse { id, name, input } => calls.push(ToolCallView {
                id,
                function: Some(FunctionView {
                    name,
                    arguments: input.as_str().to_owned(),
                }),
                custom: None,
            }),
            Block::ToolResult { id, content, .. } => {
                view.tool_call_id = Some(id);
                parts.extend(content.into_iter().flat_map(parts_of));
            }
            Block::Thinking { .. } | Block::RedactedThinking => thoughts.push(raw),
            other => parts.extend(parts_of(other)),
        }
    }
    if !thoughts.is_empty() {
        view.thinking_blocks = Json::from_value(&thoughts).ok();
    }
    let has_content = !parts.is_empty() || calls.is_empty();
    view.content = has_content.then_some(Content::Parts(parts));
    view.tool_calls = (!calls.is_empty()).then_some(calls);
    view
}

/// The parts of content that a block is.
fn parts_of(block: Block) -> Vec<Part> {
    match block {
        Block::Text(text) | Block::Document(Document::Text(text)) => vec![Part::Text(text)],
        Block::Image(url) => vec![Part::Image(ImageUrl { url, detail: None })],
        Block::Document(Document::Blocks(blocks)) => {
            blocks.into_iter().flat_map(parts_of).collect()
        }
        Block::Document(_) => vec![Part::File],
        other => vec![Part::Extension(other.kind().to_owned())],
    }
}
