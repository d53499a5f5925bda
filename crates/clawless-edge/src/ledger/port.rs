//! The port to the ledger.

use clawless_core::ledger::{Input, Output};
use clawless_core::time::Millis;
use clawless_core::{ApiError, ErrorCode, TenantId};
use serde::{Deserialize, Serialize};

/// How long a client should wait where the ledger does not answer.
const BUSY_WAIT: Millis = Millis::from_secs(1);

/// Asks a tenant's ledger.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Ledger {
    /// Asks one thing. An answer comes only once everything that it rests on is durable.
    async fn ask(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError>;
}

/// A question on its way to the object, as JSON. The object learns its tenant from the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Whose ledger is asked. The object is found by this name.
    pub tenant: TenantId,
    /// What is asked.
    pub input: Input,
}

/// The ledger did not answer. Whether it took the question is not known; asking again is harmless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It failed, or cannot be reached.
    #[error("the ledger does not answer: {0}")]
    Failed(String),
    /// It has said nothing for as long as anybody waits.
    #[error("the ledger is silent")]
    Silent,
    /// It has too much to do and took nothing. Asking again at once would make that worse.
    #[error("the ledger has too much to do")]
    Overloaded,
}

impl From<LedgerError> for ApiError {
    /// Without the ledger nothing is decided, and so nothing is served.
    fn from(error: LedgerError) -> Self {
        Self::new(
            ErrorCode::ServiceUnavailable,
            "The service is busy. Try again in a moment.",
        )
        .retry_after(BUSY_WAIT)
        .because(error)
    }
}
