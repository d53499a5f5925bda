//! Responses with a tenant.

use clawless_api::admin::tenants::TenantObject;
use clawless_core::{ApiError, Tenant};
use clawless_edge::http::HttpResponse;

/// The value of `etag`: the version of the tenant's record.
pub(super) fn etag(tenant: &Tenant) -> String {
    format!("\"{}\"", tenant.version)
}

/// The response with one tenant.
pub(super) fn respond(tenant: &Tenant) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::of(&TenantObject::from(tenant))?.with_header("etag", etag(tenant)))
}
