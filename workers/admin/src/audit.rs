//! `GET /admin/audit`: the changes that operators made.

use clawless_api::admin::audit::AuditObject;
use clawless_core::{ApiError, AuditId, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_store::audit;

use crate::context::{AdminCall, not_found};
use crate::page::Page;
use crate::tokens;

/// Lists the log, newest first, of one tenant if `tenant_id` names one; a tenant admin must name its own.
/// Changes of admin tokens are shown to those who may list the tokens. Entries remain after their tenant is
/// deleted.
///
/// # Errors
/// 400 for the query, 404 for a text that cannot be a tenant's id.
pub(crate) async fn list(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let mut query = call.query();
    let page: Page<AuditId> = Page::take(&mut query)?;
    let (sql, before, limit) = (&call.platform.sql, page.after.as_ref(), page.read_limit());
    let entries = if let Some(id) = query.take("tenant_id")? {
        let tenant: TenantId = id.parse().map_err(|_| not_found("tenant"))?;
        audit::list(sql, &tenant, before, limit).await?
    } else {
        let with_tokens = tokens::ACCESS.check(&call.caller.role, None).is_ok();
        audit::list_across_tenants(sql, before, limit, with_tokens).await?
    };
    let objects = entries.into_iter().map(AuditObject::from).collect();
    page.respond(objects, |entry: &AuditObject| entry.id().as_str())
}
