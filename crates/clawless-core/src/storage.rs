//! Stored content: its amounts, and what of it a quota limits.

use serde::{Deserialize, Serialize};

use crate::limits::StorageLimits;

/// Amounts of stored content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "StoredContent")
)]
// Rows that an older version stored lack the members that were added since.
#[serde(default)]
pub struct Storage {
    /// Sessions.
    pub sessions: u64,
    /// Messages of sessions.
    pub messages: u64,
    /// Bytes of these messages and of the settings of the sessions.
    pub bytes: u64,
}

/// What a storage quota limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageKind {
    /// Sessions.
    Sessions,
    /// Messages of sessions.
    Messages,
    /// Bytes.
    Bytes,
}

impl Storage {
    /// Nothing.
    pub const ZERO: Self = Self {
        sessions: 0,
        messages: 0,
        bytes: 0,
    };

    /// The amount of one kind.
    pub const fn of(&self, kind: StorageKind) -> u64 {
        match kind {
            StorageKind::Sessions => self.sessions,
            StorageKind::Messages => self.messages,
            StorageKind::Bytes => self.bytes,
        }
    }

    /// Saturating sum.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            sessions: self.sessions.saturating_add(other.sessions),
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Saturating difference.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            sessions: self.sessions.saturating_sub(other.sessions),
            messages: self.messages.saturating_sub(other.messages),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

impl StorageKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Sessions, Self::Messages, Self::Bytes];

    /// The limit of this kind; none if it is unlimited.
    pub const fn limit(self, limits: &StorageLimits) -> Option<u64> {
        match self {
            Self::Sessions => limits.sessions,
            Self::Messages => limits.messages,
            Self::Bytes => limits.bytes,
        }
    }

    /// The name in settings and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Messages => "messages",
            Self::Bytes => "bytes",
        }
    }
}
