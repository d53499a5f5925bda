//! A tenant's sessions, for support. Each access is recorded in the audit log first.

use clawless_core::{ApiError, SessionId};
use clawless_edge::http::HttpResponse;
use clawless_store::records::{self, Key, RecordPosition};

use crate::context::{AdminCall, audit_access, not_found};
use crate::page::{self, Page};

/// Lists a tenant's sessions, newest first.
///
/// # Errors
/// 400 for the query, 404 if there is no such tenant.
pub(crate) async fn list_sessions(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let page: Page<Key> = Page::take(&mut call.query())?;
    let tenant = context.tenant(call.param("id")).await?.id;
    audit_access(call, &tenant, "sessions.list", None).await?;
    let (after, limit) = (page.after.as_ref(), page.read_limit());
    let found = records::sessions(&context.sql, &tenant, after, limit, context.now).await?;
    page.respond(found, |record| &record.key)
}

/// Shows one session.
///
/// # Errors
/// 404 if there is no such tenant or session.
pub(crate) async fn show_session(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let tenant = context.tenant(call.param("id")).await?.id;
    let id = session_id(call)?;
    audit_access(call, &tenant, "session.read", Some(id.as_str())).await?;
    let found = records::session(&context.sql, &tenant, &id, context.now).await?;
    let found = found.ok_or_else(|| not_found("session"))?;
    Ok(HttpResponse::json(found.json.as_str().to_owned()))
}

/// Lists the messages of a session, oldest first.
///
/// # Errors
/// 400 for the query, 404 if there is no such tenant or session.
pub(crate) async fn list_messages(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let page: Page<Key> = Page::take(&mut call.query())?;
    let tenant = context.tenant(call.param("id")).await?.id;
    let id = session_id(call)?;
    audit_access(call, &tenant, "session.read_messages", Some(id.as_str())).await?;
    let found = records::session(&context.sql, &tenant, &id, context.now).await?;
    found.ok_or_else(|| not_found("session"))?;
    let (sql, after) = (&context.sql, page.after.as_ref());
    let (found, has_more) = records::messages(sql, &tenant, &id, after, page.limit()).await?;
    let last = found.last().map(|last| last.key.clone());
    page::respond(found, last.filter(|_| has_more))
}

/// Exports all data of a tenant, page by page, in the order of `records::export`. Every page is
/// recorded in the audit log.
///
/// # Errors
/// 400 for the query, 404 if there is no such tenant.
pub(crate) async fn export(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let from: Option<RecordPosition> = page::take_cursor(&mut call.query())?;
    let tenant = context.tenant(call.param("id")).await?.id;
    audit_access(call, &tenant, "tenant.export", Some(tenant.as_str())).await?;
    let from = from.unwrap_or_default();
    let (found, next) = records::export(&context.sql, &tenant, from, context.now).await?;
    page::respond(found, next.map(|next| next.to_string()))
}

fn session_id(call: &AdminCall) -> Result<SessionId, ApiError> {
    let id = call.param("session").parse();
    id.map_err(|_| not_found("session"))
}
