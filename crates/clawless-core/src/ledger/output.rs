//! What the ledger answers. These values cross a fetch from the object as JSON.

use serde::{Deserialize, Serialize};

use super::headers::RateHeaders;
use super::input::{SessionState, Ticket};
use super::period::Period;
use super::quotas::{Amounts, QuotaKind};
use crate::error::ErrorCode;
use crate::ids::{RequestId, SessionId};
use crate::money::Tokens;
use crate::time::{Millis, Timestamp};

/// The answer to one input, and what else came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The answer to whoever asked.
    pub answer: LedgerAnswer,
    /// What the `x-ratelimit-*` headers of its response say.
    pub headers: RateHeaders,
    /// What an operator wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Answers to others, who have waited for a session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub woken: Vec<Woken>,
}

/// The answer to an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAnswer {
    /// To pass: yes.
    Passed,
    /// To admit: yes.
    Granted(Grant),
    /// To admit: not yet. The answer comes as [`Woken`], at the latest when whoever holds the
    /// request sends [`super::Input::Cancel`] at `until`.
    Queued {
        /// When the wait is over, by the caller's clock.
        until: Timestamp,
    },
    /// To pass, admit, extend and cancel: no.
    Denied(Denial),
    /// To pass and admit: by a record that is not the present one. Read it from D1 and ask again,
    /// once.
    Stale(Stale),
    /// To extend: yes.
    Extended {
        /// All that is reserved now.
        reserved: Amounts,
        /// The longest answer, each.
        max_tokens_out: Tokens,
    },
    /// To settle, release and resolve.
    Closed(Closing),
    /// To park: the turn is kept and its call is settled. Any other answer to park means that the
    /// turn is NOT kept.
    Parked,
    /// To sweep: calls past their deadline, oldest first. Look each up in D1 and resolve it.
    Overdue(Vec<Overdue>),
    /// To await: it is under way. Any other answer: it is not.
    UnderWay,
    /// To everything else: done, or nothing to do.
    Done,
}

/// A reservation was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The request, which names the reservation.
    pub request_id: RequestId,
    /// Tells this grant from others of the same request: a message of an earlier life, delivered
    /// late, must not close a later one.
    pub ticket: Ticket,
    /// When the reservation ends, by the caller's clock. Nothing may be committed after it.
    pub deadline: Timestamp,
    /// What was reserved.
    pub reserved: Amounts,
    /// The longest answer, each: what was asked for or what the quota leaves. The provider must be
    /// told, and a stream that reaches it ends with `finish_reason: "length"`.
    pub max_tokens_out: Tokens,
    /// Where the session stands. Absent for a session turn: unknown; read D1 and
    /// [`super::Input::Extend`] the reservation by the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
}

/// Refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Why.
    pub reason: DenialReason,
    /// How long to wait before asking again, where waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
    /// The quota that is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaUse>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialReason {
    /// The tenant is suspended or being deleted.
    Suspended,
    /// The key is revoked.
    KeyRevoked,
    /// Too many requests in too short a time.
    RateLimited,
    /// As many calls are running as may run at the same time.
    TooManyRunning,
    /// A quota of this period is used up.
    QuotaUsedUp,
    /// Another turn of the session is still running.
    SessionBusy,
    /// The session's last turn has not reached D1 for longer than [`super::PARKED_GRACE`].
    SessionUnavailable,
    /// The request has ended before; or, to extend, there is no open reservation.
    NotOpen,
}

impl DenialReason {
    /// The error that a client gets.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Suspended => ErrorCode::TenantSuspended,
            Self::KeyRevoked => ErrorCode::InvalidApiKey,
            Self::RateLimited | Self::TooManyRunning => ErrorCode::RateLimitExceeded,
            Self::QuotaUsedUp => ErrorCode::InsufficientQuota,
            Self::SessionBusy => ErrorCode::SessionBusy,
            Self::SessionUnavailable => ErrorCode::ServiceUnavailable,
            Self::NotOpen => ErrorCode::Conflict,
        }
    }
}

/// How a quota stands that refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaUse {
    /// Which quota.
    pub kind: QuotaKind,
    /// What is used in this period.
    pub used: u64,
    /// What is reserved by calls that are still running.
    pub reserved: u64,
    /// The quota.
    pub limit: u64,
    /// When the next period begins.
    pub resets_at: Timestamp,
}

/// Which record is not the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// The tenant's. Ask again with the record as it is in D1.
    Config {
        /// The version that the ledger knows; none if it has never been told.
        known: Option<u64>,
    },
    /// The key's.
    Key {
        /// The version that the ledger knows of.
        known: u64,
    },
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// It is in the books now.
    Booked,
    /// The sweep had closed it; the receipt is put right now.
    Corrected,
    /// Nothing to do: it ended before, was never admitted, or (to resolve) is not overdue.
    NotOpen,
}

/// A call past its deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// The call.
    pub request_id: RequestId,
    /// Its session, if it is a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// When it was admitted.
    pub granted_at: Timestamp,
    /// The first look found nothing and the call was closed blindly; look once more, for a turn
    /// only. Between the looks every gateway's deadline passes, so a call that the first look missed
    /// (the clock had jumped) has ended by now.
    #[serde(default)]
    pub again: bool,
}

/// What an operator wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A quota reached 80 % or 100 %; once each a period.
    QuotaWarning {
        /// The period.
        period: Period,
        /// Which quota.
        kind: QuotaKind,
        /// 80 or 100.
        percent: u8,
        /// What is used.
        used: u64,
        /// The quota.
        limit: u64,
    },
    /// A call used more than was reserved.
    Overrun {
        /// The call.
        request_id: RequestId,
        /// How much more.
        excess: Amounts,
    },
    /// A parked turn was given up.
    TurnLost {
        /// Its request.
        request_id: RequestId,
        /// Its session.
        session_id: SessionId,
    },
}

/// The answer to an admission that was queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Woken {
    /// The request that waited.
    pub request_id: RequestId,
    /// `Granted`, `Denied` or `Stale`.
    pub answer: LedgerAnswer,
    /// What the headers of its response say.
    pub headers: RateHeaders,
}
