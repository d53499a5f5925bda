//! `GET /admin/audit`: who changed what.

use clawless_core::json::Json;
use clawless_core::{ApiError, AuditId, RequestId, TenantId};
use clawless_edge::response::HttpResponse;
use clawless_store::audit::{self, StoredEntry};
use serde::Serialize;

use crate::context::{AdminContext, no_such};
use crate::page::{Page, Query};

/// A line of the log as operators see it.
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

/// Lists the log, newest first; `tenant_id` narrows it. It outlives its tenants.
///
/// # Errors
/// 400 for a bad query, 404 for what is no tenant's id.
pub(crate) async fn list(context: &AdminContext, query: &Query) -> Result<HttpResponse, ApiError> {
    let page: Page<AuditId> = Page::of(query, &["tenant_id"])?;
    let (before, limit) = (page.cursor.as_ref(), page.to_read());
    let entries = match query.get("tenant_id") {
        Some(id) => {
            let tenant: TenantId = id.parse().map_err(|_| no_such("tenant"))?;
            audit::list(&context.sql, &tenant, before, limit).await?
        }
        None => audit::list_across_tenants(&context.sql, before, limit).await?,
    };
    let views = entries.into_iter().map(View::from).collect();
    page.answer(views, |view: &View| view.id.as_str())
}
