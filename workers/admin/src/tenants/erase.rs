//! Erasing a tenant's content, without the tenant itself.

use clawless_api::admin::tenants::ErasureProgress;
use clawless_core::ledger::Input;
use clawless_core::{ApiError, SessionId, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_store::erasure;

use crate::context::{AdminCall, audit_access, ledger_not_notified};
use crate::input;
use crate::page::take_cursor;

/// The number of sessions that one request erases: each takes two calls of the ledger.
const MAX_SESSIONS: u32 = 10;
/// The other work of one request: queries, and rows per query.
const MAX_QUERIES: u32 = 10;
const MAX_ROWS: u32 = 200;

/// Erases a tenant's sessions with their messages and tool executions, the tool executions of stateless
/// calls, the responses stored for idempotency, and cached copies. Settings, keys, receipts and the audit log stay.
/// Repeating it is safe.
///
/// 1. 400 for the query or a body with members. 2. 404 and 409 for the tenant. 3. The next sessions are
///    erased: the ledger, the database, the ledger; 503 if it does not respond. 4. After the last
///    session, the rest; 503 if the cache does not respond. 5. 202 while there is more, from `next_cursor` on; then 200.
///
/// # Errors
/// The statuses above.
pub(crate) async fn erase(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    input::read_empty(call).await?;
    let context = &call.platform;
    let after: Option<SessionId> = take_cursor(&mut call.query())?;
    let tenant = context.mutable_tenant(call.param("id")).await?.id;
    audit_access(call, &tenant, "tenant.erase", Some(tenant.as_str())).await?;
    let start = after.as_ref().map_or("", SessionId::as_str);
    let listed = erasure::session_ids(&context.sql, &tenant, start, MAX_SESSIONS).await?;
    let last = listed.last().cloned();
    if let Some(last) = &last {
        // Before, so that no turn uses old heads if this request is aborted in between; after, because a turn
        // may have read a session meanwhile, and even if the database did not respond.
        forget(call, &tenant, &listed).await?;
        let erased =
            erasure::delete_sessions(&context.sql, &tenant, start, last, context.now).await;
        forget(call, &tenant, erased.as_ref().unwrap_or(&listed)).await?;
        erased?;
    }
    let erased = last.is_none()
        && erasure::erase_sessionless_rows(&context.sql, &tenant, MAX_QUERIES, MAX_ROWS).await?
        && context.remove_copies(&tenant).await?;
    let next_cursor = last.or(after).filter(|_| !erased);
    let progress = ErasureProgress::new(&tenant, erased, next_cursor);
    let status = if erased { 200 } else { 202 };
    Ok(HttpResponse::of(&progress)?.with_status(status))
}

/// Makes the ledger forget the heads of sessions.
async fn forget(
    call: &AdminCall,
    tenant: &TenantId,
    sessions: &[SessionId],
) -> Result<(), ApiError> {
    for session in sessions {
        let session_id = session.clone();
        let input = Input::ForgetAll {
            session_ids: vec![session_id],
        };
        if !call.platform.notify_ledger(tenant, input).await {
            return Err(ledger_not_notified("Some sessions are erased"));
        }
    }
    Ok(())
}
