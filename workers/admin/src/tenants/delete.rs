//! Deleting tenants with all their data.

use clawless_api::admin::tenants::{DeletionProgress, TenantObject};
use clawless_core::ledger::{Input, LedgerConfig};
use clawless_core::tenant::TenantStatus;
use clawless_core::{ApiError, Tenant};
use clawless_edge::http::HttpResponse;
use clawless_store::audit::AuditEntry;
use clawless_store::{SqlErrorKind, admin_tokens, erasure, tenants};

use super::change::{matches, outdated};
use crate::context::{AdminCall, audit_entry, changed_concurrently, ledger_not_notified};
use crate::input;
use crate::tokens::revocation;

/// The work of one request: queries, and rows per query. A turn's messages are deleted with its row.
const MAX_QUERIES: u32 = 20;
const MAX_ROWS: u32 = 200;

/// Deletes a tenant. A large one takes several requests: 202 until all data is deleted, then 200. After
/// an interruption the next request continues.
///
/// 1. 400 for a body with members. 404 if there is no such tenant. 412 if `if-match` names
///    another version and the deletion has not started.
/// 2. The tenant is refused from now on: by the database, then by the ledger; 503 if it does not
///    respond.
/// 3. Its rows are deleted, then the cached copies of its sessions, 503 if the cache does not respond;
///    then its ledger, then the tenant itself with a last audit entry.
///
/// # Errors
/// The statuses above.
pub(crate) async fn delete(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    input::read_empty(call).await?;
    let context = &call.platform;
    let tenant = close(call, context.tenant(call.param("id")).await?).await?;
    let id = &tenant.id;
    if !erasure::erase_rows(&context.sql, id, MAX_QUERIES, MAX_ROWS).await? {
        return progress(202, &tenant);
    }
    if !context.remove_copies(id).await? {
        return progress(202, &tenant);
    }
    if let Err(error) = context.ledger.erase(id).await {
        tracing::error!(%error, "erase ledger failed");
        return Err(ledger_not_notified("The tenant's rows are deleted"));
    }
    let bound = admin_tokens::list_bound(&context.sql, id).await?;
    let revoked = bound
        .into_iter()
        .map(|token| Ok(revocation(call, token)?.0));
    let revoked: Vec<AuditEntry> = revoked.collect::<Result<_, ApiError>>()?;
    let entry = audit_entry(
        call,
        "tenant.delete",
        id.as_str(),
        Some(&TenantObject::from(&tenant)),
        None,
    )?;
    match erasure::delete_tenant(&context.sql, id, &revoked, &entry).await {
        Ok(()) => progress(200, &tenant),
        // A turn that was running has stored a row meanwhile.
        Err(error) if matches!(error.kind, SqlErrorKind::Constraint(_)) => progress(202, &tenant),
        Err(error) => Err(error.into()),
    }
}

/// Refuses the tenant from now on.
async fn close(call: &AdminCall, before: Tenant) -> Result<Tenant, ApiError> {
    let (context, if_match) = (&call.platform, call.head.header("if-match"));
    let closed = if before.status == TenantStatus::Deleting {
        // Closing created a new version, which must not stop the request that continues.
        before
    } else if !matches(if_match, &before) {
        return Err(outdated());
    } else {
        let after = Tenant {
            status: TenantStatus::Deleting,
            version: before.version + 1,
            updated_at: context.now,
            ..before.clone()
        };
        let (old, new) = (TenantObject::from(&before), TenantObject::from(&after));
        let entry = audit_entry(
            call,
            "tenant.close",
            after.id.as_str(),
            Some(&old),
            Some(&new),
        )?;
        if !tenants::update(&context.sql, &after, &entry).await? {
            return Err(if_match.map_or_else(changed_concurrently, |_| outdated()));
        }
        after
    };
    let config = LedgerConfig::from(&closed);
    if !context
        .notify_ledger(&closed.id, Input::Configure(config))
        .await
    {
        return Err(ledger_not_notified("The tenant is marked as deleted"));
    }
    Ok(closed)
}

fn progress(status: u16, tenant: &Tenant) -> Result<HttpResponse, ApiError> {
    let body = DeletionProgress::new(&tenant.id, status == 200);
    Ok(HttpResponse::of(&body)?.with_status(status))
}
