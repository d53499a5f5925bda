//! Tenants are listed and shown.

use clawless_core::{ApiError, TenantId};
use clawless_edge::response::HttpResponse;
use clawless_store::tenants;

use super::view::{self, View};
use crate::context::AdminContext;
use crate::page::{Page, Query};

/// Lists the tenants, oldest first.
///
/// # Errors
/// 400 for a bad query.
pub(crate) async fn list(context: &AdminContext, query: &Query) -> Result<HttpResponse, ApiError> {
    let page: Page<TenantId> = Page::of(query, &[])?;
    let (after, limit) = (page.cursor.as_ref(), page.to_read());
    let found = tenants::list_across_tenants(&context.sql, after, limit).await?;
    page.answer(found.iter().map(View::from).collect(), |view: &View| {
        view.id.as_str()
    })
}

/// Shows one tenant; the `etag` names its version.
///
/// # Errors
/// 404 where there is none.
pub(crate) async fn show(context: &AdminContext, tenant: &str) -> Result<HttpResponse, ApiError> {
    view::answer(&context.tenant(tenant).await?)
}
