//! Tenants are deleted, with all that is stored of them.

use clawless_core::ledger::{Input, LedgerConfig};
use clawless_core::tenant::TenantStatus;
use clawless_core::{ApiError, Tenant};
use clawless_edge::response::HttpResponse;
use clawless_store::{SqlErrorKind, erasure, tenants};
use serde::Serialize;

use super::change::{matches, outdated};
use super::view::View;
use crate::context::{AdminContext, half_done, overtaken};
use crate::input;

/// How much one request deletes: queries, and rows a query. A turn's messages go with its row.
const PIECES: u32 = 20;
const ROWS: u32 = 200;

#[derive(Serialize)]
struct Progress<'a> {
    object: &'static str,
    id: &'a str,
    deleted: bool,
}

/// Deletes a tenant. A large one takes several requests: 202 until all is gone, then 200. Whatever
/// interrupts it, the next request goes on.
///
/// 1. 400 for a body with anything in it. 404 where there is no such tenant, or no longer. 412 where
///    `if-match` names another version and the deletion has not begun.
/// 2. The tenant is refused from now on: the database, then the ledger; 503 where it cannot be told.
/// 3. Its rows go, then what its ledger holds, then the tenant itself with a last line in the log.
///
/// # Errors
/// The statuses above.
pub(crate) async fn delete(
    context: &AdminContext,
    tenant: &str,
    if_match: Option<&str>,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    input::nothing(body)?;
    let tenant = close(context, context.tenant(tenant).await?, if_match).await?;
    let id = &tenant.id;
    if !erasure::erase_some(&context.sql, id, PIECES, ROWS).await? {
        return progress(202, &tenant);
    }
    if let Err(error) = context.ledger.erase(id).await {
        tracing::error!(tenant = id.as_str(), %error, "the ledger was not erased");
        return Err(half_done("The tenant's rows are deleted"));
    }
    let entry = context.entry(
        "tenant.delete",
        id.as_str(),
        Some(&View::from(&tenant)),
        None,
    )?;
    match erasure::finish(&context.sql, id, &entry).await {
        Ok(()) => progress(200, &tenant),
        // Something that was running has stored a row meanwhile.
        Err(error) if matches!(error.kind, SqlErrorKind::Constraint(_)) => progress(202, &tenant),
        Err(error) => Err(error.into()),
    }
}

/// Refuses the tenant from now on.
async fn close(
    context: &AdminContext,
    before: Tenant,
    if_match: Option<&str>,
) -> Result<Tenant, ApiError> {
    let closed = if before.status == TenantStatus::Deleting {
        // Closing it made a new version, which must not stop the request that goes on.
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
        let (old, new) = (View::from(&before), View::from(&after));
        let entry = context.entry("tenant.close", after.id.as_str(), Some(&old), Some(&new))?;
        if !tenants::update(&context.sql, &after, &entry).await? {
            return Err(if_match.map_or_else(overtaken, |_| outdated()));
        }
        after
    };
    let config = LedgerConfig::from(&closed);
    if !context.tell(&closed.id, Input::Configure(config)).await {
        return Err(half_done("The tenant is marked as deleted"));
    }
    Ok(closed)
}

fn progress(status: u16, tenant: &Tenant) -> Result<HttpResponse, ApiError> {
    let body = Progress {
        object: "tenant",
        id: tenant.id.as_str(),
        deleted: status == 200,
    };
    Ok(HttpResponse {
        status,
        ..HttpResponse::of(&body)?
    })
}
