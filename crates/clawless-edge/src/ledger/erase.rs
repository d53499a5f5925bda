//! A ledger is erased, once its tenant is being deleted.

use clawless_core::TenantId;
use worker::{Method, Request, RequestInit};

use super::RemoteLedger;

/// The ledger may or may not have been erased; asking again is harmless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is not known to be erased: {0}")]
pub struct EraseError(String);

impl RemoteLedger {
    /// Deletes all that a tenant's ledger has stored. What arrives later finds a ledger that was
    /// never configured, which lets nothing pass.
    pub async fn erase(&self, tenant: &TenantId) -> Result<(), EraseError> {
        let namespace = self.0.as_ref();
        let namespace = namespace.ok_or_else(|| EraseError("no binding".to_owned()))?;
        let mut init = RequestInit::new();
        init.with_method(Method::Delete);
        let request = Request::new_with_init("http://ledger/", &init).map_err(failure)?;
        let stub = namespace.get_by_name(tenant.as_str()).map_err(failure)?;
        let response = stub.fetch_with_request(request).await.map_err(failure)?;
        match response.status_code() {
            200 => Ok(()),
            status => Err(EraseError(format!("status {status}"))),
        }
    }
}

fn failure(error: impl std::fmt::Display) -> EraseError {
    EraseError(error.to_string())
}
