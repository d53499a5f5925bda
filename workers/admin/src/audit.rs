//! `GET /admin/audit`: the changes that operators made.

use clawless_core::json::Json;
use clawless_core::{ApiError, AuditId, RequestId, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_store::audit::{self, StoredEntry};
use serde::Serialize;

use crate::context::{AdminCall, not_found};
use crate::page::Page;

/// An entry of the log in responses.
#[derive(Serialize)]
struct View {
    object: &'static str,
    id: AuditId,
    /// In seconds since 1970.
    at: u64,
    actor: String,
    action: String,
    tenant_id: Option<TenantId>,
    target: Option<String>,
    before: Option<Json>,
    after: Option<Json>,
    request_id: RequestId,
}

impl From<StoredEntry> for View {
    fn from(entry: StoredEntry) -> Self {
        Self {
            object: "audit_entry",
            id: entry.id,
            at: entry.at.as_secs(),
            actor: entry.actor,
            action: entry.action,
            tenant_id: entry.tenant_id,
            target: entry.target,
            before: entry.before,
            after: entry.after,
            request_id: entry.request_id,
        }
    }
}

/// Lists the log, newest first, of one tenant if `tenant_id` names one. Entries remain after their
/// tenant is deleted.
///
/// # Errors
/// 400 for the query, 404 for a text that cannot be a tenant's id.
pub(crate) async fn list(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let mut query = call.query();
    let page: Page<AuditId> = Page::take(&mut query)?;
    let (sql, before, limit) = (&call.platform.sql, page.after.as_ref(), page.read_limit());
    let entries = match query.take("tenant_id")? {
        Some(id) => {
            let tenant: TenantId = id.parse().map_err(|_| not_found("tenant"))?;
            audit::list(sql, &tenant, before, limit).await?
        }
        None => audit::list_across_tenants(sql, before, limit).await?,
    };
    let views = entries.into_iter().map(View::from).collect();
    page.respond(views, |view: &View| view.id.as_str())
}
