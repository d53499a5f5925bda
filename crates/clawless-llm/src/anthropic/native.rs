//! Content blocks of clients of the Messages API, which are sent byte for byte. Only what the API
//! would reject or charge differently is changed.

use clawless_core::chat;
use clawless_core::json::Json;
use clawless_core::llm::{ClientText, Signature};
use clawless_core::members::Members;
use serde::Deserialize;

use super::content_block::Block;
use crate::call_id_map::CallIdMap;
use crate::openai::cache_lifetime;

/// The members that decide whether a block is changed.
#[derive(Deserialize)]
struct Head {
    r#type: String,
    #[serde(default)]
    id: Option<Json>,
    #[serde(default)]
    tool_use_id: Option<Json>,
    #[serde(default)]
    signature: Option<Json>,
}

/// The blocks of the message at this position as they are sent:
///
/// - reasoning without a signature, of another provider's model, is left out;
/// - ids that the API rejects are replaced, in calls and results alike;
/// - a cache lifetime other than the default, which has a price of its own, is removed.
pub(super) fn blocks(position: usize, blocks: Vec<Json>, ids: &mut CallIdMap) -> Vec<Block> {
    let mut sent = Vec::with_capacity(blocks.len());
    for raw in blocks {
        let Ok(head) = raw.read::<Head>() else {
            sent.push(Block::Raw(raw));
            continue;
        };
        let raw = match head.r#type.as_str() {
            "thinking" if !is_signed(head.signature.as_ref()) => continue,
            "thinking" if is_own_unsigned(head.signature.as_ref()) => without_signature(raw),
            "tool_use" => with_id(raw, "id", head.id, |id| ids.of_call(position, id)),
            "tool_result" => with_id(raw, "tool_use_id", head.tool_use_id, |id| ids.of_result(id)),
            _ => raw,
        };
        let has_mark = raw.as_str().contains("\"cache_control\"");
        let changed = has_mark.then(|| cache_lifetime::removed(&raw)).flatten();
        sent.push(Block::Raw(changed.unwrap_or(raw)));
    }
    sent
}

/// Whether a block is a blank text, which the API rejects.
pub(super) fn is_blank(block: &Json) -> bool {
    matches!(chat::Block::read(block), Ok(chat::Block::Text(text)) if text.trim().is_empty())
}

/// Whether a block is reasoning.
pub(super) fn is_thought(block: &Json) -> bool {
    let head = block.read::<Head>();
    head.is_ok_and(|it| matches!(it.r#type.as_str(), "thinking" | "redacted_thinking"))
}

fn is_signed(signature: Option<&Json>) -> bool {
    signature.is_some_and(|it| !matches!(it.as_str(), "\"\"" | "null"))
}

/// Whether the signature says only which model wrote the reasoning: that did not sign it. No other model
/// gets here ([`crate::origin`]).
fn is_own_unsigned(signature: Option<&Json>) -> bool {
    let text: Option<String> = signature.and_then(|it| it.read().ok());
    let signature = text.and_then(|text| Signature::parse(&text));
    signature.is_some_and(|it| it.signature.is_empty())
}

fn without_signature(raw: Json) -> Json {
    let members = raw.read::<Members>().ok();
    let changed = members.map(|it| it.without(&["signature"]));
    let changed = changed.and_then(|it| Json::from_value(&it).ok());
    changed.unwrap_or(raw)
}

/// The block with another id, if the API needs one.
fn with_id(raw: Json, name: &str, id: Option<Json>, sent: impl FnOnce(&str) -> String) -> Json {
    let Some(id) = id.and_then(|id| id.read::<String>().ok()) else {
        return raw;
    };
    let sent = sent(&id);
    if sent == id {
        return raw;
    }
    replaced(&raw, name, &sent).unwrap_or(raw)
}

fn replaced(raw: &Json, name: &str, id: &str) -> Option<Json> {
    let mut members: Members = raw.read().ok()?;
    let member = members.0.iter_mut().find(|(known, _)| known == name)?;
    member.1 = Json::from_value(id).ok()?;
    Json::from_value(&members).ok()
}
