//! What a tenant's clients said is erased, and the tenant stays.

use clawless_core::ledger::Input;
use clawless_core::{ApiError, SessionId, TenantId};
use clawless_edge::response::HttpResponse;
use clawless_store::erasure;
use serde::Serialize;

use crate::context::{AdminContext, half_done};
use crate::input;
use crate::page::{self, Query};

/// How many sessions one request erases: the ledger is told of each, twice.
const SESSIONS: u32 = 10;
/// How much else: queries, and rows a query.
const PIECES: u32 = 10;
const ROWS: u32 = 200;

#[derive(Serialize)]
struct Progress<'a> {
    object: &'static str,
    id: &'a str,
    erased: bool,
    next_cursor: Option<SessionId>,
}

/// Erases a tenant's sessions with all that was said and done in them, what tools did for its
/// stateless calls, and the answers that are kept for repeated requests. Settings, keys, receipts
/// and the audit log stay. May be repeated.
///
/// 1. 400 for a bad query or a body with anything in it. 2. 404 and 409 for the tenant. 3. The next
///    sessions go: the ledger, the database, the ledger; 503 where it cannot be told. 4. After the last, the
///    rest. 5. 202 while there is more, from `next_cursor` on; then 200.
///
/// # Errors
/// The statuses above.
pub(crate) async fn erase(
    context: &AdminContext,
    tenant: &str,
    query: &Query,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    input::nothing(body)?;
    query.only(&["cursor"])?;
    let after: Option<SessionId> = page::cursor(query)?;
    let tenant = context.lasting_tenant(tenant).await?.id;
    context
        .note(&tenant, "tenant.erase", Some(tenant.as_str()))
        .await?;
    let start = after.as_ref().map_or("", SessionId::as_str);
    let known = erasure::session_ids(&context.sql, &tenant, start, SESSIONS).await?;
    let last = known.last().cloned();
    if let Some(last) = &last {
        // Before, so that nothing old is said where this request dies in the middle; after, because a
        // turn may have read a session meanwhile, and even where the database did not answer.
        forget(context, &tenant, &known).await?;
        let emptied =
            erasure::empty_sessions(&context.sql, &tenant, start, last, context.now).await;
        forget(context, &tenant, emptied.as_ref().unwrap_or(&known)).await?;
        emptied?;
    }
    let erased = last.is_none()
        && erasure::erase_beside_sessions(&context.sql, &tenant, PIECES, ROWS).await?;
    let progress = Progress {
        object: "tenant",
        id: tenant.as_str(),
        erased,
        next_cursor: last.or(after).filter(|_| !erased),
    };
    Ok(HttpResponse {
        status: if erased { 200 } else { 202 },
        ..HttpResponse::of(&progress)?
    })
}

/// Makes the ledger forget where the sessions stand.
async fn forget(
    context: &AdminContext,
    tenant: &TenantId,
    sessions: &[SessionId],
) -> Result<(), ApiError> {
    for session in sessions {
        let session_id = session.clone();
        if !context.tell(tenant, Input::Forget { session_id }).await {
            return Err(half_done("Some sessions are erased"));
        }
    }
    Ok(())
}
