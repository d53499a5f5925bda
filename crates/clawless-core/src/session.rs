//! Sessions: conversations that the server remembers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{SessionId, TenantId};
use crate::money::Tokens;
use crate::time::Timestamp;

/// How many turns a session has; the number of its last turn, 0 for none.
///
/// It names the session's state: whoever read the history under a head can tell whether it is
/// still the present one, and the turn after it is stored under `head + 1` or not at all.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Head(u64);

impl Head {
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
    /// The number of its last turn.
    pub head: Head,
    /// Tokens of the stored history, as far as providers told them.
    pub token_total: Tokens,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
