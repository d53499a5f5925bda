//! What the ledger is asked. These values cross a fetch to the object as JSON.

use serde::{Deserialize, Serialize};

use super::buckets::EndpointClass;
use super::config::LedgerConfig;
use super::price::Price;
use crate::ids::{KeyId, RequestId, SessionId};
use crate::json::Json;
use crate::money::Provenance;
use crate::money::{MicroDollars, Tokens};
use crate::session::SessionHead;
use crate::time::Timestamp;

/// One thing that the ledger is asked or told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// May this request that costs nothing pass? Rate limits only: no reservation, no write.
    Pass(Pass),
    /// May this model call begin?
    Admit(Box<Admit>),
    /// The call needs more than was reserved: history that was read from D1, or another round of
    /// tools.
    Extend(Extend),
    /// Whoever waited for a session waits no longer: gone, or its time is over.
    Cancel {
        /// The waiting request.
        request_id: RequestId,
    },
    /// The call is over; this is what it used.
    Settle(Box<Settle>),
    /// As settle, for a turn that D1 refused to take: keep it and hold its session until D1 has it.
    Park(Box<Park>),
    /// The call cost nothing: it failed before the provider produced anything.
    Release {
        /// The call.
        request_id: RequestId,
    },
    /// Is this request still under way: waiting, running, or stored by nobody but the ledger? The
    /// shell lets whoever asks wait for its end. Reads only.
    Await {
        /// The request.
        request_id: RequestId,
        /// The session that it must belong to; absent: any, or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
    },
    /// Which calls are past their deadline? Also lets time pass for everything that waits.
    Sweep,
    /// What D1 says of a call past its deadline.
    Resolve(Box<Resolve>),
    /// The tenant's record changed. Older and known versions are ignored.
    Configure(LedgerConfig),
    /// Refuse everything until a newer configuration comes.
    Suspend,
    /// Refuse this key for ever.
    Revoke {
        /// The key.
        key_id: KeyId,
    },
    /// The key's record changed: copies older than `version` are stale.
    ReviseKey {
        /// The key.
        key_id: KeyId,
        /// The record's version now.
        version: u64,
    },
    /// The session was changed in D1 behind the ledger's back (reset, deleted, edited): its head
    /// is unknown.
    Forget {
        /// The session.
        session_id: SessionId,
    },
    /// These receipts are in D1.
    AckReceipts(Vec<ReceiptKey>),
    /// What D1 said to a parked turn.
    AckTurn {
        /// The turn's request.
        request_id: RequestId,
        /// Whether D1 has it now. `false`: D1 will never take it (its place is taken); it is given
        /// up and the session's head becomes unknown.
        stored: bool,
    },
}

/// Who asks, and by which versions of the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerVersions {
    /// The key.
    pub key_id: KeyId,
    /// The version of the key's record that the caller went by.
    pub key_version: u64,
    /// The version of the tenant's record that the caller went by.
    pub config_version: u64,
    /// The tenant's record as just read from D1, when asking again after [`super::Stale`]; the
    /// ledger takes it over if it is newer than its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Box<LedgerConfig>>,
}

/// Asks for a request that costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Who asks.
    pub caller: CallerVersions,
    /// What kind of route it is.
    pub class: EndpointClass,
}

/// Asks for a model call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admit {
    /// The request. Asking twice gives the same grant.
    pub request_id: RequestId,
    /// Who asks.
    pub caller: CallerVersions,
    /// What kind of route it is.
    pub class: EndpointClass,
    /// The session that gets the turn; none for a stateless call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The model that will probably answer, for the receipt.
    pub model: String,
    /// Estimated tokens of what the client sent, tools and system prompt included, the session's
    /// history not.
    pub tokens_in: Tokens,
    /// The longest answer that the client asked for, each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_out: Option<Tokens>,
    /// What the model would write at most by itself; holds where the client asked for nothing.
    pub default_tokens_out: Tokens,
    /// The number of answers (`n`); 0 counts as 1.
    pub answers: u32,
    /// The dearest prices of the model chain.
    pub price: Price,
}

/// The number of a grant: later grants have higher ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket after this one for a grant at `now`. Following the time, tickets stay unique
    /// after a restart that no longer knows the last one.
    #[must_use]
    pub(super) fn next(self, now: Timestamp) -> Self {
        Self(self.0.saturating_add(1).max(now.as_millis()))
    }
}

/// Asks for more than was reserved. Totals, not differences, so that asking twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extend {
    /// The call.
    pub request_id: RequestId,
    /// Its grant.
    pub ticket: Ticket,
    /// All input tokens of the call so far, history included.
    pub tokens_in: Tokens,
    /// The longest answer, each; what was granted stays where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_out: Option<Tokens>,
    /// The price of dearer models than were reserved for; what was granted stays where it is
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// The session's state as read from D1 while holding its lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    /// Its last turn.
    pub head: SessionHead,
    /// Tokens of its history.
    pub token_total: Tokens,
}

/// What a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Tokens of the request, history included, over all rounds.
    pub tokens_in: Tokens,
    /// Tokens of the answers, over all rounds.
    pub tokens_out: Tokens,
    /// Its cost at the prices of the model that answered.
    pub cost: MicroDollars,
}

/// Ends a call. Only the first end of a request counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// The call.
    pub request_id: RequestId,
    /// Its grant.
    pub ticket: Ticket,
    /// What it used.
    pub spent: Spent,
    /// How that is known.
    pub provenance: Provenance,
    /// The model that answered, where it is not the one named at admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where the session stands after this turn. Absent for a session turn that is not known to be
    /// stored: where the session stands then is not known either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
}

/// Ends a turn whose commit D1 refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Park {
    /// Its end.
    pub settle: Settle,
    /// All that the commit would have written; the ledger does not look into it.
    pub turn: Json,
}

/// Tells what became of an overdue call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// The call.
    pub request_id: RequestId,
    /// What D1 knows of it.
    pub resolution: Resolution,
    /// Whether this was the second look: [`super::Overdue::again`].
    #[serde(default)]
    pub again: bool,
}

/// What D1 knows of an overdue call. Look for a receipt first, then for a turn;
/// at the second look for a turn only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// There is a receipt: the call ended long ago, and its admission was repeated by a message
    /// that came late.
    Receipted,
    /// There is a stored turn, which says what it used. Its session's head is read anew.
    Turn {
        /// What it used.
        spent: Spent,
        /// How that is known.
        provenance: Provenance,
        /// The model that answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// There is nothing.
    NotFound,
}

/// Names one receipt as it was sent to D1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptKey {
    /// The request.
    pub request_id: RequestId,
    /// The receipt's revision.
    pub revision: u32,
}
