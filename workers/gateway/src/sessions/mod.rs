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
mod wire;

pub use changes::{create, delete, reset, update};
pub use export::export;
pub use list::list;
pub use messages::{list as list_messages, remove as remove_message};
pub use tool_executions::list as list_tool_executions;

use clawless_core::ledger::{EndpointClass, Input};
use clawless_core::session::Head;
use clawless_core::{ApiError, Clock, ErrorCode, Scope, Session, SessionId, TenantId};
use clawless_edge::answer::Answer;
use clawless_store::{Kv, KvKey, sessions};

use crate::admit::pass_with;
use crate::caller::Caller;
use crate::ledger::Ledger;
use crate::platform::Platform;
use wire::SessionObject;

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
) -> Result<Answer, ApiError> {
    reading(platform, caller, async {
        let session = found(platform, caller, &session_id(id)?).await?;
        Answer::of(&SessionObject::of(&session))
    })
    .await
}

/// What every reading route does around its work.
async fn reading<P: Platform>(
    platform: &P,
    caller: &Caller,
    work: impl Future<Output = Result<Answer, ApiError>>,
) -> Result<Answer, ApiError> {
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
    work: impl Future<Output = Result<Answer, ApiError>>,
) -> Result<Answer, ApiError> {
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
    work: impl Future<Output = Result<Answer, ApiError>>,
) -> Result<Answer, ApiError> {
    let rates = pass_with(platform, caller, class, scope).await?;
    match work.await {
        Ok(answer) => Ok(answer.with_headers(rates.pairs())),
        Err(error) => Err(error.headers(rates.pairs())),
    }
}

/// Reads an id from the path.
fn session_id(text: &str) -> Result<SessionId, ApiError> {
    clawless_core::chat::check_session_id(text, "session_id")
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

/// Tells the ledger that a session is no longer what it was, and takes the copy of it away. Until
/// the ledger knows, a turn could begin with what was: so the change is not done before.
async fn forget<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    copied: Option<Head>,
) -> Result<(), ApiError> {
    let input = Input::Forget {
        session_id: id.clone(),
    };
    platform.ledger().ask(tenant, input).await?;
    if let Some(head) = copied {
        // Nobody asks for the copy any more; it only should not lie about.
        if let Err(error) = platform
            .kv()
            .delete(&KvKey::history(tenant, id, head))
            .await
        {
            tracing::info!(%error, internal = error.internal, "a copy stays until it expires");
        }
    }
    Ok(())
}
