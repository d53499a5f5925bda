//! Listing and showing keys.

use clawless_api::admin::keys::KeyObject;
use clawless_core::{ApiError, KeyId};
use clawless_edge::http::HttpResponse;
use clawless_store::api_keys;

use super::find::find;
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
    let objects = keys.into_iter().map(KeyObject::from).collect();
    page.respond(objects, |key: &KeyObject| key.id().as_str())
}

/// Shows one key.
///
/// # Errors
/// 404 if there is no such tenant or key.
pub(crate) async fn show(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let tenant = call.platform.tenant(call.param("id")).await?.id;
    HttpResponse::of(&KeyObject::from(find(call, &tenant).await?))
}
