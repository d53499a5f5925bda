//! The port to the ledger.

use clawless_core::ledger::{Input, Output};
use clawless_core::time::Millis;
use clawless_core::{ApiError, ErrorCode, RequestId, TenantId};
use serde::{Deserialize, Serialize};

/// How long a client waits if the ledger does not respond.
const RETRY_AFTER_LEDGER: Millis = Millis::from_secs(1);

/// Calls a tenant's ledger.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Ledger {
    /// Sends one input. The output arrives when all state that it depends on is durable.
    async fn call(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError>;
}

/// An input for the object, as JSON. The object takes its tenant from the first one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerRequest {
    /// The tenant of the ledger, which is also the object's name.
    pub tenant: TenantId,
    /// The input.
    pub input: Input,
    /// The request on whose behalf the input is sent, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

/// The ledger did not respond. It may or may not have received the input; repeating it is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It failed or cannot be reached.
    #[error("the ledger does not respond: {0}")]
    Failed(String),
    /// It did not respond before the timeout.
    #[error("the ledger timed out")]
    Silent,
    /// It is overloaded and accepted nothing. An immediate retry would make that worse.
    #[error("the ledger is overloaded")]
    Overloaded,
}

impl From<LedgerError> for ApiError {
    /// Without a decision of the ledger, nothing is served.
    fn from(error: LedgerError) -> Self {
        Self::new(
            ErrorCode::ServiceUnavailable,
            "The service is busy. Try again in a moment.",
        )
        .retry_after(RETRY_AFTER_LEDGER)
        .with_internal(error)
    }
}
