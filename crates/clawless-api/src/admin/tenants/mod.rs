//! Tenants: their settings in requests, and tenants in responses.

mod request;
mod response;

pub use request::{TenantBody, TenantPatch};
pub use response::{DeletionProgress, ErasureProgress, TenantObject};
