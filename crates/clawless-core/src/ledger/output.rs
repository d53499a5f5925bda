//! Outputs of the ledger. The Durable Object returns them as JSON.

use serde::{Deserialize, Serialize};

use super::headers::RateHeaders;
use super::input::{SessionState, Ticket};
use super::period::Period;
use super::quotas::{Amounts, QuotaKind};
use crate::error::ErrorCode;
use crate::ids::{KeyId, RequestId, SessionId};
use crate::limits::StorageLimits;
use crate::money::Tokens;
use crate::storage::{Storage, StorageKind};
use crate::time::{Millis, Timestamp};

/// The answer to one input and its other effects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The answer to the caller.
    pub answer: LedgerAnswer,
    /// Values of the `x-ratelimit-*` headers of the response.
    pub headers: RateHeaders,
    /// Events for operators.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Answers to requests that waited for a session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub woken: Vec<Woken>,
}

/// The answer to an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAnswer {
    /// Pass: allowed.
    Passed,
    /// Admit: granted.
    Granted(Grant),
    /// Admit: queued. The final answer arrives as [`Woken`], or when the runtime sends
    /// `Input::Cancel` at `until`.
    Queued {
        /// End of the wait, by the caller's clock.
        until: Timestamp,
    },
    /// Pass, admit, extend and cancel: denied.
    Denied(Denial),
    /// Pass and admit: the caller used an outdated record. Read it from D1 and retry once.
    Stale(Stale),
    /// Extend: granted.
    Extended {
        /// The total reservation.
        reserved: Amounts,
        /// Output limit per answer.
        max_tokens_out: Tokens,
    },
    /// Settle, release and resolve.
    Closed(Closing),
    /// Park: the turn is stored and its call settled. With any other answer the turn is NOT stored.
    Parked,
    /// Sweep: calls past their deadline, oldest first. Look up each in D1 and resolve it.
    Overdue(Vec<Overdue>),
    /// Storage: the stored content and its limits.
    Storage(StorageReport),
    /// Await: the request is in progress. Any other answer: it is not.
    UnderWay,
    /// `FindTurn`: the request whose turn runs. Any other answer: none.
    Running(RequestId),
    /// Everything else: done, or nothing to do.
    Done,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The request; identifies the reservation.
    pub request_id: RequestId,
    /// Distinguishes grants of the same request: a delayed message for an earlier grant must not close
    /// a later one.
    pub ticket: Ticket,
    /// When the call must have ended, by the caller's clock. Nothing may be committed after it. The
    /// reservation ends earlier if it is not renewed.
    pub deadline: Timestamp,
    /// The reserved amounts.
    pub reserved: Amounts,
    /// Output limit per answer: the requested limit or the remaining quota. It must be sent to the
    /// provider; a stream that reaches it ends with `finish_reason: "length"`.
    pub max_tokens_out: Tokens,
    /// The most output tokens per answer that the quotas would have covered. Absent in the grant of a
    /// repeated admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affordable_out: Option<Tokens>,
    /// Session state. If absent for a session turn, read it from D1 and extend the reservation by the
    /// history (`Input::Extend`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
}

/// A denied request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The reason.
    pub reason: DenialReason,
    /// Delay before a retry, if a retry can succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
    /// The quota that leaves too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaUse>,
    /// Whether the limit is the key's own. Other keys of the tenant are admitted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_key: bool,
    /// The storage quota that leaves too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageUse>,
}

/// The reason of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialReason {
    /// The tenant is suspended or being deleted.
    Suspended,
    /// The key is revoked.
    KeyRevoked,
    /// The rate limit is exceeded.
    RateLimited,
    /// The concurrency limit is reached.
    TooManyRunning,
    /// The usage of this period leaves too little of a quota.
    QuotaUsedUp,
    /// Usage and the reservations of running calls leave too little of a quota.
    QuotaReserved,
    /// The stored content leaves too little of a storage quota.
    StorageUsedUp,
    /// The stored content and the reservations of running turns leave too little of a storage quota.
    StorageReserved,
    /// Another turn of the session is running.
    SessionBusy,
    /// A turn of the session has been parked for longer than `PARKED_GRACE`.
    SessionUnavailable,
    /// The request ended before; for extend, there is no open reservation.
    NotOpen,
}

impl DenialReason {
    /// The error code of the response.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Suspended => ErrorCode::TenantSuspended,
            Self::KeyRevoked => ErrorCode::InvalidApiKey,
            Self::RateLimited
            | Self::TooManyRunning
            | Self::QuotaReserved
            | Self::StorageReserved => ErrorCode::RateLimitExceeded,
            Self::QuotaUsedUp | Self::StorageUsedUp => ErrorCode::InsufficientQuota,
            Self::SessionBusy => ErrorCode::SessionBusy,
            Self::SessionUnavailable => ErrorCode::ServiceUnavailable,
            Self::NotOpen => ErrorCode::Conflict,
        }
    }
}

/// State of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaUse {
    /// The kind of quota.
    pub kind: QuotaKind,
    /// Usage in this period.
    pub used: u64,
    /// Reserved by running calls.
    pub reserved: u64,
    /// The limit.
    pub limit: u64,
    /// Start of the next period.
    pub resets_at: Timestamp,
}

/// State of a storage quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageUse {
    /// What it limits.
    pub kind: StorageKind,
    /// The stored amount.
    pub used: u64,
    /// Reserved by running turns.
    pub reserved: u64,
    /// The amount that the request adds.
    pub requested: u64,
    /// The limit.
    pub limit: u64,
}

/// The stored content of a tenant and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StorageReport {
    /// The stored amounts.
    pub used: Storage,
    /// Reserved by running turns.
    pub reserved: Storage,
    /// The limits.
    pub limits: StorageLimits,
}

/// The outdated record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// The tenant record. Retry with the record from D1.
    Config {
        /// The version known to the ledger, if any.
        known: Option<u64>,
    },
    /// The key record.
    Key {
        /// The version known to the ledger.
        known: u64,
    },
}

/// Result of closing a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Recorded in the account.
    Booked,
    /// The sweep had closed it; the receipt is corrected.
    Corrected,
    /// Nothing to do: it ended before, was never admitted, or (for resolve) is not overdue.
    NotOpen,
}

/// A call past its deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// The call.
    pub request_id: RequestId,
    /// The session of a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Time of admission.
    pub granted_at: Timestamp,
    /// A recheck: the first lookup found nothing and the call was closed without an outcome. Look up
    /// its turn only. Every gateway deadline passes between the lookups, so a call that the first one
    /// missed (after a clock jump) has ended by now.
    #[serde(default)]
    pub again: bool,
    /// The ticket of the overdue grant; none for a recheck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
}

/// An event for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A quota reached 80 % or 100 %; sent once each per period.
    QuotaWarning {
        /// The period.
        period: Period,
        /// The kind of quota.
        kind: QuotaKind,
        /// 80 or 100.
        percent: u8,
        /// The usage.
        used: u64,
        /// The limit.
        limit: u64,
        /// The key of the call that reached it; none if the quota was lowered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<KeyId>,
    },
    /// The stored content reached 80 % or 100 % of a limit; sent again after it has fallen well
    /// below.
    StorageWarning {
        /// The kind of limit.
        kind: StorageKind,
        /// 80 or 100.
        percent: u8,
        /// The stored amount.
        used: u64,
        /// The limit.
        limit: u64,
        /// The key of the turn that reached it; none for other changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<KeyId>,
    },
    /// A call's usage is beyond a quota; sent for each such call.
    QuotaExceeded {
        /// The period.
        period: Period,
        /// The kind of quota.
        kind: QuotaKind,
        /// The usage.
        used: u64,
        /// The limit.
        limit: u64,
        /// The call.
        request_id: RequestId,
        /// Its key.
        key_id: KeyId,
    },
    /// A call used more than it had reserved.
    Overrun {
        /// The call.
        request_id: RequestId,
        /// Its key.
        key_id: KeyId,
        /// The excess.
        excess: Amounts,
    },
    /// A parked turn was dropped.
    TurnLost {
        /// Its request.
        request_id: RequestId,
        /// Its session.
        session_id: SessionId,
    },
}

/// The final answer to a queued admission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Woken {
    /// The waiting request.
    pub request_id: RequestId,
    /// `Granted`, `Denied` or `Stale`.
    pub answer: LedgerAnswer,
    /// Rate-limit headers of its response.
    pub headers: RateHeaders,
}
