//! Answers on the wire. Unknown types are skipped, as the API's versioning rules require. Members
//! are read tolerantly (`tolerant`): bad usage must not spoil a good answer.

use clawless_core::json::Json;
use serde::Deserialize;

use crate::tolerant::LooseInt;

/// An event of a stream: one struct for all types, each of which has some of the members.
#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) r#type: String,
    /// The answer so far, at `message_start`.
    #[serde(default)]
    pub(super) message: Option<Whole>,
    /// The block's position.
    #[serde(default)]
    pub(super) index: Option<u32>,
    /// The block that begins.
    #[serde(default)]
    pub(super) content_block: Option<Block>,
    /// What is added to a block, or to the answer.
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    #[serde(default)]
    pub(super) usage: Option<Json>,
    #[serde(default)]
    pub(super) error: Option<Json>,
}

/// An answer.
#[derive(Deserialize)]
pub(super) struct Whole {
    #[serde(default)]
    pub(super) content: Option<Vec<Block>>,
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<Json>,
}

/// A block of content.
#[derive(Deserialize)]
pub(super) struct Block {
    pub(super) r#type: String,
    /// Of a text.
    #[serde(default)]
    pub(super) text: Option<String>,
    /// Of a thought.
    #[serde(default)]
    pub(super) thinking: Option<String>,
    /// Of a thought.
    #[serde(default)]
    pub(super) signature: Option<String>,
    /// Of a thought that only the provider can read.
    #[serde(default)]
    pub(super) data: Option<String>,
    /// Of a call.
    #[serde(default)]
    pub(super) id: Option<String>,
    /// Of a call.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Of a call: `{}` in a stream, where the real input follows in pieces.
    #[serde(default)]
    pub(super) input: Option<Json>,
}

/// An addition.
#[derive(Deserialize)]
pub(super) struct Delta {
    /// Absent where the answer ends.
    #[serde(default)]
    pub(super) r#type: Option<String>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) thinking: Option<String>,
    #[serde(default)]
    pub(super) signature: Option<String>,
    #[serde(default)]
    pub(super) partial_json: Option<String>,
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
}

/// Counts of tokens so far. Tokens that are read from the cache or written to it are not part of
/// `input_tokens`.
#[derive(Deserialize)]
#[allow(clippy::struct_field_names, reason = "the wire's own names")]
pub(super) struct Counts {
    #[serde(default)]
    pub(super) input_tokens: LooseInt,
    #[serde(default)]
    pub(super) cache_creation_input_tokens: LooseInt,
    #[serde(default)]
    pub(super) cache_read_input_tokens: LooseInt,
    #[serde(default)]
    pub(super) output_tokens: LooseInt,
}
