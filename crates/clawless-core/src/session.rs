//! Sessions: conversations with stored history.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::ReasoningEffort;
use crate::ids::{SessionId, TenantId};
use crate::money::Tokens;
use crate::time::Timestamp;
use crate::time_zone::TimeZone;

/// The version of a session. It increases with each turn and each other change of its history or
/// settings.
///
/// A reader of the history compares heads to detect changes. The next turn is stored under
/// `head + 1` or not at all. Deleting the whole history starts a new era, so that a turn that
/// started before the deletion is distinguishable from a turn that lost a race.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SessionHead(u64);

impl SessionHead {
    /// The number of heads in an era. SQL statements of the store contain the same number.
    pub const ERA: u64 = 1 << 20;

    /// The head of a session without turns.
    pub const EMPTY: Self = Self(0);

    /// The head after the turn with the number `seq`.
    pub const fn new(seq: u64) -> Self {
        Self(seq)
    }

    /// The number of the last turn.
    pub const fn seq(self) -> u64 {
        self.0
    }

    /// The head after the next turn.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The head after the history is deleted: the start of the next era.
    #[must_use]
    pub const fn emptied(self) -> Self {
        Self((self.era() + 1).saturating_mul(Self::ERA))
    }

    /// The number of deletions of the history before this head.
    pub const fn era(self) -> u64 {
        self.0 / Self::ERA
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The id, unique within the tenant.
    pub id: SessionId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The title.
    pub title: Option<String>,
    /// Labels of the client.
    pub metadata: BTreeMap<String, String>,
    /// The template of the system prompt, after the tenant's system prompt.
    pub system_prompt: Option<String>,
    /// The model for requests without one.
    pub model: Option<String>,
    /// The reasoning effort for requests without one.
    pub thinking_level: Option<ReasoningEffort>,
    /// The names of the enabled server tools. The tenant's tools if absent.
    pub tools: Option<Vec<String>>,
    /// The time zone of its prompts. The tenant's if absent. Cached copies of earlier versions lack it.
    #[serde(default)]
    pub time_zone: Option<TimeZone>,
    /// The version.
    pub head: SessionHead,
    /// Tokens of the stored history, as reported by providers.
    pub token_total: Tokens,
    /// The time of expiry.
    pub expires_at: Option<Timestamp>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// The bytes of settings, as a storage quota counts them and as the store's SQL does.
fn settings_bytes(
    title: Option<&str>,
    metadata: &BTreeMap<String, String>,
    system_prompt: Option<&str>,
    model: Option<&str>,
    tools: Option<&[String]>,
) -> u64 {
    fn json_length(value: &impl Serialize) -> usize {
        serde_json::to_string(value).map_or(0, |text| text.len())
    }
    let texts = [title, system_prompt, model].into_iter().flatten();
    let labels = (!metadata.is_empty()).then(|| json_length(metadata));
    let tools = tools.map(|tools| json_length(&tools));
    let bytes = texts.map(str::len).chain(labels).chain(tools);
    bytes.map(|length| length as u64).sum()
}

impl Session {
    /// The bytes of its settings.
    pub fn settings_bytes(&self) -> u64 {
        settings_bytes(
            self.title.as_deref(),
            &self.metadata,
            self.system_prompt.as_deref(),
            self.model.as_deref(),
            self.tools.as_deref(),
        )
    }

    /// The bytes of its settings after a change.
    pub fn settings_bytes_after(&self, change: &Change) -> u64 {
        fn after<'a, T>(change: Option<&'a Option<T>>, before: Option<&'a T>) -> Option<&'a T> {
            change.map_or(before, Option::as_ref)
        }
        settings_bytes(
            after(change.title.as_ref(), self.title.as_ref()).map(String::as_str),
            change.metadata.as_ref().unwrap_or(&self.metadata),
            after(change.system_prompt.as_ref(), self.system_prompt.as_ref()).map(String::as_str),
            after(change.model.as_ref(), self.model.as_ref()).map(String::as_str),
            after(change.tools.as_ref(), self.tools.as_ref()).map(Vec::as_slice),
        )
    }

    /// Whether the session's own expiry has passed. The store also knows its tenant's retention.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// The settings of a new session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewSession {
    /// The title.
    pub title: Option<String>,
    /// Labels of the client.
    pub metadata: BTreeMap<String, String>,
    /// The template of the system prompt, after the tenant's system prompt.
    pub system_prompt: Option<String>,
    /// The model for requests without one.
    pub model: Option<String>,
    /// The reasoning effort for requests without one.
    pub thinking_level: Option<ReasoningEffort>,
    /// The names of the enabled server tools.
    pub tools: Option<Vec<String>>,
    /// The time zone of its prompts.
    pub time_zone: Option<TimeZone>,
    /// The time of expiry.
    pub expires_at: Option<Timestamp>,
}

impl NewSession {
    /// The bytes of its settings.
    pub fn settings_bytes(&self) -> u64 {
        settings_bytes(
            self.title.as_deref(),
            &self.metadata,
            self.system_prompt.as_deref(),
            self.model.as_deref(),
            self.tools.as_deref(),
        )
    }
}

/// A change of a session's settings. `None` keeps a setting, `Some(None)` removes it.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(
    clippy::option_option,
    reason = "an absent member, `null` and a value differ in meaning"
)]
pub struct Change {
    /// The title.
    pub title: Option<Option<String>>,
    /// The labels. Replaces all labels.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The system prompt.
    pub system_prompt: Option<Option<String>>,
    /// The model.
    pub model: Option<Option<String>>,
    /// The reasoning effort.
    pub thinking_level: Option<Option<ReasoningEffort>>,
    /// The names of the enabled server tools.
    pub tools: Option<Option<Vec<String>>>,
    /// The time zone.
    pub time_zone: Option<Option<TimeZone>>,
    /// The time of expiry.
    pub expires_at: Option<Option<Timestamp>>,
}
