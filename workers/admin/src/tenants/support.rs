//! A tenant's sessions, for support. Whoever reads them leaves a line in the audit log first.

use clawless_core::{ApiError, SessionId};
use clawless_edge::response::HttpResponse;
use clawless_store::records::{self, Key, RecordPosition};

use crate::context::{AdminContext, no_such};
use crate::page::{self, Page, Query};

/// Lists a tenant's sessions, newest first.
///
/// # Errors
/// 400 for a bad query, 404 where there is no such tenant.
pub(crate) async fn sessions(
    context: &AdminContext,
    tenant: &str,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    let page: Page<Key> = Page::of(query, &[])?;
    let tenant = context.tenant(tenant).await?.id;
    context.note(&tenant, "sessions.list", None).await?;
    let (after, limit) = (page.cursor.as_ref(), page.to_read());
    let found = records::sessions(&context.sql, &tenant, after, limit).await?;
    page.answer(found, |record| &record.place)
}

/// Shows one session.
///
/// # Errors
/// 404 where there is no such tenant or session.
pub(crate) async fn session(
    context: &AdminContext,
    tenant: &str,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    let tenant = context.tenant(tenant).await?.id;
    let id: SessionId = id.parse().map_err(|_| no_such("session"))?;
    context
        .note(&tenant, "session.read", Some(id.as_str()))
        .await?;
    let found = records::session(&context.sql, &tenant, &id).await?;
    let found = found.ok_or_else(|| no_such("session"))?;
    Ok(HttpResponse::json(found.json.as_str().to_owned()))
}

/// Lists what was said in a session, earliest first.
///
/// # Errors
/// 400 for a bad query, 404 where there is no such tenant or session.
pub(crate) async fn messages(
    context: &AdminContext,
    tenant: &str,
    id: &str,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    let page: Page<Key> = Page::of(query, &[])?;
    let tenant = context.tenant(tenant).await?.id;
    let id: SessionId = id.parse().map_err(|_| no_such("session"))?;
    context
        .note(&tenant, "session.read_messages", Some(id.as_str()))
        .await?;
    let found = records::session(&context.sql, &tenant, &id).await?;
    found.ok_or_else(|| no_such("session"))?;
    let after = page.cursor.as_ref();
    let (found, has_more) =
        records::messages(&context.sql, &tenant, &id, after, page.limit).await?;
    let last = found.last().map(|last| last.place.clone());
    page::list(found, last.filter(|_| has_more))
}

/// All that is stored of a tenant, page by page, in the order of `records::export`. Every page
/// leaves a line in the audit log.
///
/// # Errors
/// 400 for a bad query, 404 where there is no such tenant.
pub(crate) async fn export(
    context: &AdminContext,
    tenant: &str,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["cursor"])?;
    let from: Option<RecordPosition> = page::cursor(query)?;
    let tenant = context.tenant(tenant).await?.id;
    context
        .note(&tenant, "tenant.export", Some(tenant.as_str()))
        .await?;
    let from = from.unwrap_or_default();
    let (found, next) = records::export(&context.sql, &tenant, from).await?;
    page::list(found, next.map(|next| next.to_string()))
}
