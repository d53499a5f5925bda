//! Messages and content blocks of a request.

use clawless_core::json::Json;
use serde::Serialize;

use super::cache::CacheControl;
use super::images::Source;

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
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    /// A block as a client or a model wrote it: signed reasoning, or any block of a client of this API.
    #[serde(untagged)]
    Raw(Json),
}

impl Block {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            cache_control: None,
        }
    }

    /// A prompt cache mark: caches the prefix up to this block.
    pub(super) fn mark(&mut self) {
        if let Some(mark) = self.mark_mut() {
            *mark = Some(CacheControl::EPHEMERAL);
        }
    }

    /// The place of the block's mark; a raw block has its own.
    pub(super) const fn mark_mut(&mut self) -> Option<&mut Option<CacheControl>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => Some(cache_control),
            Self::Raw(_) => None,
        }
    }
}
