//! Sessions: conversations that the server remembers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::ReasoningEffort;
use crate::ids::{SessionId, TenantId};
use crate::money::Tokens;
use crate::time::Timestamp;

/// Counts the changes of a session: its turns, and whatever else changes its history or settings.
///
/// It names the session's state: whoever read the history under a head can tell whether it is
/// still the present one, and the turn after it is stored under `head + 1` or not at all. It only
/// ever grows. Where everything that was said is forgotten, it goes on in the next era, so that a
/// turn that began before can be told from one that was merely overtaken.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SessionHead(u64);

impl SessionHead {
    /// How many heads an era has. The store's statements that empty a session hold it as a number.
    pub const ERA: u64 = 1 << 20;

    /// A session without turns.
    pub const EMPTY: Self = Self(0);

    /// The head of a session whose last turn has the number `seq`.
    pub const fn new(seq: u64) -> Self {
        Self(seq)
    }

    /// The number of the last turn.
    pub const fn seq(self) -> u64 {
        self.0
    }

    /// The head after one more turn.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The head of a session that is emptied.
    #[must_use]
    pub const fn emptied(self) -> Self {
        Self((self.era() + 1).saturating_mul(Self::ERA))
    }

    /// How often the session was emptied before this head.
    pub const fn era(self) -> u64 {
        self.0 / Self::ERA
    }
}

/// A session's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The session's id within its tenant.
    pub id: SessionId,
    /// Whose session it is.
    pub tenant_id: TenantId,
    /// A title for people.
    pub title: Option<String>,
    /// The client's own labels.
    pub metadata: BTreeMap<String, String>,
    /// Placed before the session's history, after the tenant's own.
    pub system_prompt: Option<String>,
    /// The model for turns that name none.
    pub model: Option<String>,
    /// How much models think in turns that do not say.
    pub thinking_level: Option<ReasoningEffort>,
    /// The server tools that are on, by name; the tenant's where it is absent.
    pub tools: Option<Vec<String>>,
    /// Its state.
    pub head: SessionHead,
    /// Tokens of the stored history, as far as providers told them.
    pub token_total: Tokens,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Session {
    /// Whether the session has ended by itself.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What an explicitly created session is given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewSession {
    /// A title for people.
    pub title: Option<String>,
    /// The client's own labels.
    pub metadata: BTreeMap<String, String>,
    /// Placed before the session's history, after the tenant's own.
    pub system_prompt: Option<String>,
    /// The model for turns that name none.
    pub model: Option<String>,
    /// How much models think in turns that do not say.
    pub thinking_level: Option<ReasoningEffort>,
    /// The server tools that are on, by name.
    pub tools: Option<Vec<String>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// What is changed of a session's settings: what is absent stays, `Some(None)` is taken away.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(
    clippy::option_option,
    reason = "an absent member, `null` and a value differ in meaning"
)]
pub struct Change {
    /// The title.
    pub title: Option<Option<String>>,
    /// The labels, all of them.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The system prompt.
    pub system_prompt: Option<Option<String>>,
    /// The model.
    pub model: Option<Option<String>>,
    /// How much models think.
    pub thinking_level: Option<Option<ReasoningEffort>>,
    /// The server tools.
    pub tools: Option<Option<Vec<String>>>,
    /// When it ends by itself.
    pub expires_at: Option<Option<Timestamp>>,
}
