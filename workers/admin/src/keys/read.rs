//! Keys are listed and shown.

use clawless_core::{ApiError, KeyId};
use clawless_edge::answer::Answer;
use clawless_store::api_keys;

use super::view::View;
use crate::desk::Desk;
use crate::page::{Page, Query};

/// Lists a tenant's keys, oldest first.
///
/// # Errors
/// 400 for a bad query, 404 where there is no such tenant.
pub(crate) async fn list(desk: &Desk, tenant: &str, query: &Query) -> Result<Answer, ApiError> {
    let page: Page<KeyId> = Page::of(query, &[])?;
    let tenant = desk.tenant(tenant).await?.id;
    let (after, limit) = (page.cursor.as_ref(), page.to_read());
    let keys = api_keys::list(&desk.sql, &tenant, after, limit).await?;
    let views = keys.into_iter().map(View::from).collect();
    page.answer(views, |view: &View| view.id.as_str())
}

/// Shows one key.
///
/// # Errors
/// 404 where there is no such tenant or key.
pub(crate) async fn show(desk: &Desk, tenant: &str, key: &str) -> Result<Answer, ApiError> {
    let tenant = desk.tenant(tenant).await?.id;
    Answer::of(&View::from(super::find(desk, &tenant, key).await?))
}
