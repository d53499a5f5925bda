//! Listing and showing tenants.

use clawless_api::admin::tenants::TenantObject;
use clawless_core::{ApiError, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_store::tenants;

use super::response::respond;
use crate::context::AdminCall;
use crate::page::Page;

/// Lists the tenants, oldest first.
///
/// # Errors
/// 400 for the query.
pub(crate) async fn list(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let page: Page<TenantId> = Page::take(&mut call.query())?;
    let (after, limit) = (page.after.as_ref(), page.read_limit());
    let found = tenants::list_across_tenants(&call.platform.sql, after, limit).await?;
    let objects = found.iter().map(TenantObject::from).collect();
    page.respond(objects, |tenant: &TenantObject| tenant.id().as_str())
}

/// Shows one tenant; the `etag` names its version.
///
/// # Errors
/// 404 if there is none.
pub(crate) async fn show(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    respond(&call.platform.tenant(call.param("id")).await?)
}
