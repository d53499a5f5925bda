//! Usage over a span of time, as sums of receipts.

use serde::Deserialize;

use crate::ids::{KeyId, TenantId};
use crate::money::{MicroDollars, Tokens};

/// Usage of one model by one key on one day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DayUsage {
    /// The day, as `2026-01-31` (UTC).
    pub day: String,
    /// The model that answered.
    pub model: String,
    /// The key of the requests.
    pub key_id: KeyId,
    /// The sums.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// Usage of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TenantUsage {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The sums.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// Sums of receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct UsageSums {
    /// Answered chat requests.
    pub messages: u64,
    /// Input tokens.
    pub tokens_in: Tokens,
    /// Output tokens.
    pub tokens_out: Tokens,
    /// Charged tokens.
    pub tokens: Tokens,
    /// The charge.
    pub micro_dollars: MicroDollars,
}
