//! Prompt cache marks: those that the client set, and their wire format.

use clawless_core::Message;
use clawless_core::json::Json;
use serde::{Deserialize, Serialize};

use crate::openai::cache_lifetime;

/// Marks the end of a prefix to cache. Only the default lifetime is sent because longer lifetimes
/// have a different write price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CacheControl {
    r#type: &'static str,
}

impl CacheControl {
    pub(super) const EPHEMERAL: Self = Self {
        r#type: "ephemeral",
    };
}

/// The marks that a client set in one message.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// On the message.
    pub(super) whole: bool,
    /// On each of its parts.
    parts: Vec<bool>,
    /// On each of its tool calls.
    calls: Vec<bool>,
}

impl Marks {
    /// Parses the marks. Messages without the marker word are not parsed.
    pub(super) fn of(message: &Message) -> Self {
        #[derive(Deserialize)]
        struct Marked {
            #[serde(default)]
            content: Option<Json>,
            #[serde(default)]
            tool_calls: Option<Json>,
            #[serde(default)]
            cache_control: Option<Json>,
        }
        #[derive(Deserialize)]
        struct Part {
            #[serde(default)]
            cache_control: Option<Json>,
        }
        if !has_cache_mark(message) {
            return Self::default();
        }
        let Ok(marked) = message.raw().read::<Marked>() else {
            return Self::default();
        };
        let marks = |list: Option<Json>| {
            let list = list.and_then(|it| it.read::<Vec<Part>>().ok());
            let list = list.into_iter().flatten();
            list.map(|part| part.cache_control.is_some()).collect()
        };
        Self {
            whole: marked.cache_control.is_some(),
            parts: marks(marked.content),
            calls: marks(marked.tool_calls),
        }
    }

    /// The marks on the parts alone.
    pub(super) fn of_parts(&self) -> Self {
        Self {
            parts: self.parts.clone(),
            ..Self::default()
        }
    }

    /// Whether the part at this index is marked.
    pub(super) fn has(&self, position: usize) -> bool {
        self.parts.get(position).copied().unwrap_or(false)
    }

    /// Whether the tool call at this index is marked.
    pub(super) fn has_call(&self, position: usize) -> bool {
        self.calls.get(position).copied().unwrap_or(false)
    }

    /// Whether anything is marked.
    pub(super) fn any(&self) -> bool {
        self.whole || self.parts.contains(&true)
    }
}

/// Whether a message may contain a mark: searches for the marker word.
pub(super) fn has_cache_mark(message: &Message) -> bool {
    message.raw().as_str().contains("\"cache_control\"")
}

/// Whether a client requests a lifetime other than the default.
pub(super) fn has_longer_lifetime(message: &Message) -> bool {
    has_cache_mark(message)
        && is_longer(message.raw())
        && cache_lifetime::removed(message.raw()).is_some()
}

/// Whether JSON that holds marks contains a lifetime other than the default.
pub(super) fn is_longer(json: &Json) -> bool {
    json.as_str().contains("\"1h\"")
}
