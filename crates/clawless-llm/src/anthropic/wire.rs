//! Response types. Unknown types are skipped, as the API's versioning rules require. Members are
//! parsed tolerantly (`tolerant`) so that invalid usage does not fail a valid response.

use clawless_core::json::Json;
use serde::Deserialize;

use crate::tolerant::LooseInt;

/// A stream event: one struct for all types, each of which has some of the members.
#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) r#type: String,
    /// The initial response, in `message_start`.
    #[serde(default)]
    pub(super) message: Option<Whole>,
    /// The block's index.
    #[serde(default)]
    pub(super) index: Option<u32>,
    /// The block that starts.
    #[serde(default)]
    pub(super) content_block: Option<Json>,
    /// The delta of the block or of the response.
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    #[serde(default)]
    pub(super) usage: Option<Json>,
    #[serde(default)]
    pub(super) error: Option<Json>,
}

/// A response.
#[derive(Deserialize)]
pub(super) struct Whole {
    #[serde(default)]
    pub(super) content: Option<Vec<Json>>,
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
    #[serde(default)]
    pub(super) stop_sequence: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<Json>,
}

/// A content block.
#[derive(Deserialize)]
pub(super) struct Block {
    pub(super) r#type: String,
    /// Of text.
    #[serde(default)]
    pub(super) text: Option<String>,
    /// Of text: its sources.
    #[serde(default)]
    pub(super) citations: Option<Json>,
    /// Of thinking.
    #[serde(default)]
    pub(super) thinking: Option<String>,
    /// Of thinking.
    #[serde(default)]
    pub(super) signature: Option<String>,
    /// Of redacted thinking: encrypted, only the provider can read it.
    #[serde(default)]
    pub(super) data: Option<String>,
    /// Of a tool call.
    #[serde(default)]
    pub(super) id: Option<String>,
    /// Of a tool call.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Of a tool call: `{}` in a stream, where the input follows in deltas.
    #[serde(default)]
    pub(super) input: Option<Json>,
}

/// A delta.
#[derive(Default, Deserialize)]
pub(super) struct Delta {
    /// Absent unless the response ends.
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
    pub(super) citation: Option<Json>,
    #[serde(default)]
    pub(super) content: Option<Json>,
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
    #[serde(default)]
    pub(super) stop_sequence: Option<String>,
}

/// Cumulative token counts. Tokens read from or written to the cache are not included in
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
