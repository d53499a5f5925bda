//! Keys are listed and shown.

use clawless_core::{ApiError, KeyId};
use clawless_edge::response::HttpResponse;
use clawless_store::api_keys;

use super::view::View;
use crate::context::AdminContext;
use crate::page::{Page, Query};

/// Lists a tenant's keys, oldest first.
///
/// # Errors
/// 400 for a bad query, 404 where there is no such tenant.
pub(crate) async fn list(
    context: &AdminContext,
    tenant: &str,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    let page: Page<KeyId> = Page::of(query, &[])?;
    let tenant = context.tenant(tenant).await?.id;
    let (after, limit) = (page.cursor.as_ref(), page.to_read());
    let keys = api_keys::list(&context.sql, &tenant, after, limit).await?;
    let views = keys.into_iter().map(View::from).collect();
    page.answer(views, |view: &View| view.id.as_str())
}

/// Shows one key.
///
/// # Errors
/// 404 where there is no such tenant or key.
pub(crate) async fn show(
    context: &AdminContext,
    tenant: &str,
    key: &str,
) -> Result<HttpResponse, ApiError> {
    let tenant = context.tenant(tenant).await?.id;
    HttpResponse::of(&View::from(super::find(context, &tenant, key).await?))
}
