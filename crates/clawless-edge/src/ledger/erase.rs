//! Erasing a ledger while its tenant is being deleted.

use clawless_core::TenantId;
use worker::{Method, Request, RequestInit};

use super::remote::RemoteLedger;

/// The ledger may or may not be erased; repeating the call is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("erase ledger failed: {0}")]
pub struct EraseError(String);

impl RemoteLedger {
    /// Deletes all data of a tenant's ledger. Later requests reach a ledger without configuration, which
    /// admits nothing.
    pub async fn erase(&self, tenant: &TenantId) -> Result<(), EraseError> {
        let mut init = RequestInit::new();
        init.with_method(Method::Delete);
        let request = Request::new_with_init("http://ledger/", &init).map_err(failure)?;
        let stub = self.stub(tenant.as_str()).map_err(failure)?;
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
