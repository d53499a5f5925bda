//! Inputs of the ledger. They are sent to the Durable Object as JSON.

use serde::{Deserialize, Serialize};

use super::buckets::EndpointClass;
use super::config::LedgerConfig;
use super::price::Price;
use crate::ids::{KeyId, RequestId, SessionId};
use crate::json::Json;
use crate::limits::KeyLimits;
use crate::money::{MicroDollars, Provenance, Tokens};
use crate::session::SessionHead;
use crate::storage::Storage;
use crate::time::Timestamp;

/// One request to the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Checks the rate limits of a request without cost. No reservation, no write.
    Pass(Pass),
    /// Admits a model call.
    Admit(Box<Admit>),
    /// Extends a reservation, for history read from D1 or another tool round.
    Extend(Extend),
    /// Reports that a call is still running. A call that neither renews nor extends its reservation
    /// for `RESERVATION_LEASE` counts as lost.
    Renew {
        /// The call.
        request_id: RequestId,
        /// The ticket of its grant.
        ticket: Ticket,
    },
    /// Ends the wait for a session: the client disconnected or the wait timed out.
    Cancel {
        /// The waiting request.
        request_id: RequestId,
    },
    /// Ends a call and charges its usage.
    Settle(Box<Settle>),
    /// Like settle, for a turn whose commit D1 rejected: stores the turn and locks its session until D1
    /// has it.
    Park(Box<Park>),
    /// Ends a call without cost: it failed before the provider produced output.
    Release {
        /// The call.
        request_id: RequestId,
    },
    /// Reports whether a request is still in progress: waiting, running, or parked. The runtime delays
    /// the response until the request ends. Read-only.
    Await {
        /// The request.
        request_id: RequestId,
        /// The session that it must belong to; if absent, any or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
    },
    /// Reports the running turn of a session. Read-only.
    FindTurn {
        /// The session.
        session_id: SessionId,
    },
    /// Lists the calls past their deadline and expires waiters.
    Sweep,
    /// Closes an overdue call according to its records in D1.
    Resolve(Box<Resolve>),
    /// Applies a changed tenant record. Older and known versions are ignored.
    Configure(LedgerConfig),
    /// Denies everything until a newer configuration arrives.
    Suspend,
    /// Revokes a key permanently.
    Revoke {
        /// The key.
        key_id: KeyId,
    },
    /// Marks copies of a key record older than `version` as stale.
    ReviseKey {
        /// The key.
        key_id: KeyId,
        /// The current version of the record.
        version: u64,
    },
    /// Clears the cached state of a session that is changed in D1 (created, reset, deleted, edited).
    /// Denied if the change adds more content than the storage quota allows.
    Forget {
        /// The session.
        session_id: SessionId,
        /// What the change adds to or removes from the stored content.
        #[serde(default)]
        storage: StorageChange,
    },
    /// Clears the cached state of sessions that the cleanup has changed in D1, and requests a count of
    /// the stored content.
    ForgetAll {
        /// The sessions.
        session_ids: Vec<SessionId>,
    },
    /// Reports the stored content and its limits. Read-only.
    Storage,
    /// Corrects the amounts of stored content by a count of D1.
    SetStorage(StorageCount),
    /// Acknowledges receipts that D1 has stored.
    AckReceipts(Vec<ReceiptKey>),
    /// Reports whether D1 stored a parked turn.
    AckTurn {
        /// The turn's request.
        request_id: RequestId,
        /// `false`: D1 will never accept the turn (its position is taken). The turn is dropped and
        /// the session state cleared.
        stored: bool,
    },
}

/// The calling key, and the record versions it was authenticated with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerVersions {
    /// The key.
    pub key_id: KeyId,
    /// Version of the key record used.
    pub key_version: u64,
    /// The key's own limits, of that version.
    #[serde(default, skip_serializing_if = "KeyLimits::is_unlimited")]
    pub key_limits: KeyLimits,
    /// Version of the tenant record used.
    pub config_version: u64,
    /// The tenant record as read from D1, in a retry after a `Stale` answer. The ledger applies it if
    /// it is newer than its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Box<LedgerConfig>>,
}

/// Parameters of a rate check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// The caller.
    pub caller: CallerVersions,
    /// Class of the route.
    pub class: EndpointClass,
}

/// Parameters of an admission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admit {
    /// The request. A repeated admission returns the same grant.
    pub request_id: RequestId,
    /// The caller.
    pub caller: CallerVersions,
    /// Class of the route.
    pub class: EndpointClass,
    /// The session of the turn; none for a stateless call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The selected model, for the receipt.
    pub model: String,
    /// Estimated input tokens, including tools and system prompt, excluding the session history.
    pub tokens_in: Tokens,
    /// Output limit per answer, if the client set one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_out: Option<Tokens>,
    /// Output limit per answer, if the client set none.
    pub default_tokens_out: Tokens,
    /// Number of answers (`n`); 0 counts as 1.
    pub answers: u32,
    /// The highest prices of the fallback chain.
    pub price: Price,
    /// What the request adds to its session: its messages and the answer's, and the bytes of the
    /// request's messages.
    #[serde(default)]
    pub storage: Storage,
}

/// Identifies a grant; later grants have higher numbers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ticket(u64);

impl Ticket {
    /// The next ticket for a grant at `now`. Tickets follow the time, so they stay unique after a
    /// restart that lost the last one.
    #[must_use]
    pub(super) fn next(self, now: Timestamp) -> Self {
        Self(self.0.saturating_add(1).max(now.as_millis()))
    }
}

/// Parameters of an extension. Totals, not differences, so that repeating it is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extend {
    /// The call.
    pub request_id: RequestId,
    /// The ticket of its grant.
    pub ticket: Ticket,
    /// All input tokens of the call so far, including history.
    pub tokens_in: Tokens,
    /// Output limit per answer; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_out: Option<Tokens>,
    /// A higher price than reserved for; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Session state read from D1 while holding the lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
    /// Whether the turn creates its session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub creates_session: bool,
    /// What the session begins with: the copy of a history, and settings.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub copied: Storage,
}

fn is_nothing(storage: &Storage) -> bool {
    *storage == Storage::ZERO
}

/// What a change adds to and removes from the stored content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageChange {
    /// The added amounts.
    pub added: Storage,
    /// The removed amounts.
    pub removed: Storage,
}

impl StorageChange {
    /// A change that adds content.
    pub const fn adding(added: Storage) -> Self {
        Self {
            added,
            removed: Storage::ZERO,
        }
    }

    /// A change that removes content.
    pub const fn removing(removed: Storage) -> Self {
        Self {
            added: Storage::ZERO,
            removed,
        }
    }
}

/// A count of the stored content in D1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageCount {
    /// The ledger's amounts when the count began.
    pub before: Storage,
    /// The counted amounts.
    pub counted: Storage,
    /// Whether everything was counted.
    pub is_complete: bool,
}

/// State of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    /// Position of its last turn.
    pub head: SessionHead,
    /// Tokens of its history.
    pub token_total: Tokens,
}

/// Usage of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Input tokens of all rounds, including history.
    pub tokens_in: Tokens,
    /// Output tokens of all rounds.
    pub tokens_out: Tokens,
    /// Cost at the prices of the model that answered.
    pub cost: MicroDollars,
}

/// Parameters of a settlement. Only the first settlement of a request counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// The call.
    pub request_id: RequestId,
    /// The ticket of its grant.
    pub ticket: Ticket,
    /// Its usage.
    pub spent: Spent,
    /// Source of the usage.
    pub provenance: Provenance,
    /// The model that answered, if it differs from the one at admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the turn has added to the stored content.
    #[serde(default)]
    pub stored: Storage,
    /// Session state after this turn. Absent if it is unknown whether the turn is stored; the cached
    /// state is then cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
}

/// Parameters of a settlement whose commit D1 rejected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Park {
    /// The settlement.
    pub settle: Settle,
    /// The content of the commit; opaque to the ledger.
    pub turn: Json,
}

/// Outcome of an overdue call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// The call.
    pub request_id: RequestId,
    /// Its records in D1.
    pub resolution: Resolution,
    /// Whether this answers a recheck (`Overdue::again`).
    #[serde(default)]
    pub again: bool,
    /// The ticket of the grant that was looked up. A look-up before a later grant of the same request
    /// says nothing about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
}

/// Records of an overdue call in D1. Look for a receipt first, then for a turn; in a recheck for a
/// turn only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A receipt exists: the call ended before, and a delayed message repeated its admission.
    Receipted,
    /// A stored turn exists and contains the usage. The session state is cleared.
    Turn {
        /// Its usage.
        spent: Spent,
        /// Source of the usage.
        provenance: Provenance,
        /// The model that answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// No record exists.
    NotFound,
}

/// Identifies a receipt that was sent to D1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptKey {
    /// The request.
    pub request_id: RequestId,
    /// The receipt's revision.
    pub revision: u32,
}
