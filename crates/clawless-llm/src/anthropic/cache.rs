//! Marks of the prompt cache: those that the client set, and the form in which they are sent.

use clawless_core::Message;
use clawless_core::json::Json;
use serde::{Deserialize, Serialize};

/// Marks the end of a prefix that the provider should cache. The default lifetime only: a longer one
/// is written at another price.
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
}

impl Marks {
    /// Reads the marks. Few messages have any; the others are not read.
    pub(super) fn of(message: &Message) -> Self {
        #[derive(Deserialize)]
        struct Marked {
            #[serde(default)]
            content: Option<Json>,
            #[serde(default)]
            cache_control: Option<Json>,
        }
        #[derive(Deserialize)]
        struct Part {
            #[serde(default)]
            cache_control: Option<Json>,
        }
        if !may_mark(message) {
            return Self::default();
        }
        let Ok(marked) = message.raw().read::<Marked>() else {
            return Self::default();
        };
        let parts = marked.content.and_then(|it| it.read::<Vec<Part>>().ok());
        let parts = parts.into_iter().flatten();
        Self {
            whole: marked.cache_control.is_some(),
            parts: parts.map(|part| part.cache_control.is_some()).collect(),
        }
    }

    /// Whether the part at this position is marked.
    pub(super) fn has(&self, position: usize) -> bool {
        self.parts.get(position).copied().unwrap_or(false)
    }

    /// Whether anything is marked.
    pub(super) fn any(&self) -> bool {
        self.whole || self.parts.contains(&true)
    }
}

/// Whether a message may hold a mark: the word is in it.
pub(super) fn may_mark(message: &Message) -> bool {
    message.raw().as_str().contains("\"cache_control\"")
}

/// Whether a client asks for a longer lifetime than the default one.
pub(super) fn has_longer_lifetime(message: &Message) -> bool {
    may_mark(message) && message.raw().as_str().contains("\"1h\"")
}
