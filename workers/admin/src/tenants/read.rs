//! Listing and showing tenants.

use clawless_core::{ApiError, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_store::tenants;

use super::view::{self, View};
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
    page.respond(found.iter().map(View::from).collect(), |view: &View| {
        view.id.as_str()
    })
}

/// Shows one tenant; the `etag` names its version.
///
/// # Errors
/// 404 if there is none.
pub(crate) async fn show(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    view::respond(&call.platform.tenant(call.param("id")).await?)
}
