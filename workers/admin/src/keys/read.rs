//! Listing and showing keys.

use clawless_core::{ApiError, KeyId};
use clawless_edge::http::HttpResponse;
use clawless_store::api_keys;

use super::find::find;
use super::view::View;
use crate::context::AdminCall;
use crate::page::Page;

/// Lists a tenant's keys, oldest first.
///
/// # Errors
/// 400 for the query, 404 if there is no such tenant.
pub(crate) async fn list(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let page: Page<KeyId> = Page::take(&mut call.query())?;
    let tenant = call.platform.tenant(call.param("id")).await?.id;
    let (after, limit) = (page.after.as_ref(), page.read_limit());
    let keys = api_keys::list(&call.platform.sql, &tenant, after, limit).await?;
    let views = keys.into_iter().map(View::from).collect();
    page.respond(views, |view: &View| view.id.as_str())
}

/// Shows one key.
///
/// # Errors
/// 404 if there is no such tenant or key.
pub(crate) async fn show(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let tenant = call.platform.tenant(call.param("id")).await?.id;
    HttpResponse::of(&View::from(find(call, &tenant).await?))
}
