//! `/v1/sessions`: the conversations that the server remembers.
//!
//! Each route needs a scope and passes the ledger's rate limit; none costs anything. Whatever changes
//! a session moves its head and makes the ledger forget it, so that the next turn reads it anew. A
//! session of another tenant answers as one that was never made.

mod changes;
mod export;
mod list;
mod messages;
mod tool_executions;

pub use changes::{create, delete, reset, update};
pub use export::export;
pub use list::list;
pub use messages::{list as list_messages, remove as remove_message};
pub use tool_executions::list as list_tool_executions;

use clawless_api::sessions::SessionObject;
use clawless_core::ledger::{EndpointClass, Input};
use clawless_core::session::SessionHead;
use clawless_core::{ApiError, Clock, ErrorCode, Scope, Session, SessionId, TenantId};
use clawless_edge::response::HttpResponse;
use clawless_store::{SqlError, sessions};

use crate::admit::check_rate_and_scope;
use crate::caller::Caller;
use crate::hot;
use crate::ledger::Ledger;
use crate::platform::Platform;

/// The largest body that these routes read, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// `GET /v1/sessions/{id}`.
///
/// # Errors
/// 404 where there is no such session, 403 without the scope `sessions:read`.
pub async fn show<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    reading(platform, caller, async {
        let session = found(platform, caller, &session_id(id)?).await?;
        HttpResponse::of(&SessionObject::from(&session))
    })
    .await
}

/// What every reading route does around its work.
async fn reading<P: Platform>(
    platform: &P,
    caller: &Caller,
    work: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    admitted(
        platform,
        caller,
        Scope::SessionsRead,
        EndpointClass::Read,
        work,
    )
    .await
}

/// What every changing route does around its work.
async fn changing<P: Platform>(
    platform: &P,
    caller: &Caller,
    work: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    admitted(
        platform,
        caller,
        Scope::SessionsWrite,
        EndpointClass::Write,
        work,
    )
    .await
}

/// 1. 401, 403 and 429 by the ledger. 2. 403 without the scope. 3. The work; whatever comes of it
///    says how the caller's limits stand.
async fn admitted<P: Platform>(
    platform: &P,
    caller: &Caller,
    scope: Scope,
    class: EndpointClass,
    work: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    let rates = check_rate_and_scope(platform, caller, class, scope).await?;
    match work.await {
        Ok(answer) => Ok(answer.with_headers(rates.pairs())),
        Err(error) => Err(error.headers(rates.pairs())),
    }
}

/// Reads an id from the path.
fn session_id(text: &str) -> Result<SessionId, ApiError> {
    clawless_api::fields::check_session_id(text, "session_id")
}

/// The session, if the caller's tenant has it.
async fn found<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &SessionId,
) -> Result<Session, ApiError> {
    let (tenant, now) = (&caller.tenant().id, platform.time().now());
    let session = sessions::find(platform.sql(), tenant, id, now).await?;
    session.ok_or_else(no_such_session)
}

/// One answer for every session that the caller cannot have: never made, deleted, expired, or
/// another tenant's.
pub(crate) fn no_such_session() -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, "There is no such session.")
}

/// Carries a change of a session out, and makes the ledger forget it before and after: before, so
/// that nothing old is shown where this request dies in the middle; after, because a turn may have
/// read the session meanwhile. The change is not done before the ledger knows. The copy under the
/// head that was is taken away.
async fn moving<P: Platform, T>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    copied: Option<SessionHead>,
    change: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, ApiError> {
    forget(platform, tenant, id).await?;
    let changed = change.await;
    // Even where that failed: the database may have done it and its answer be lost.
    forget(platform, tenant, id).await?;
    if let Some(head) = copied {
        hot::remove(platform, tenant, id, head).await;
    }
    Ok(changed?)
}

/// Tells the ledger that a session is no longer what it was: the next turn reads the database.
async fn forget<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<(), ApiError> {
    let session_id = id.clone();
    let input = Input::Forget { session_id };
    platform.ledger().ask(tenant, input).await?;
    Ok(())
}
