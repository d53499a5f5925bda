//! Between steps 2 and 3: the session that stores a turn, and the history that the turn continues.

use clawless_api::responses::{auto_session, response_not_found};
use clawless_core::chat::{CompletionRequest, Storing};
use clawless_core::{ApiError, Clock, ErrorCode, RequestId, SessionId, TenantId};
use clawless_store::{sessions, turns};

use super::model::continuation::Continuation;
use super::model::session::session_not_found;
use crate::platform::Platform;

/// Finds the history that a request continues, and sets the session that stores its turn: after the
/// last response of a session that session, otherwise a new one that begins with a copy of the history.
///
/// # Errors
/// 404 for a response or session that the tenant does not have; 400 if the request names a session
/// beside the response that it continues; 503 if storage does not answer.
pub async fn resolve<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request_id: &RequestId,
    request: &mut CompletionRequest,
) -> Result<Continuation, ApiError> {
    let storing = request.turn.storing;
    if let Some(previous) = &request.turn.previous {
        if request.session_id.is_some() {
            let message = "A response continues either another response or a session.";
            let error = ApiError::new(ErrorCode::InvalidValue, message);
            return Err(error.param("previous_response_id"));
        }
        let now = platform.time().now();
        let found = turns::find_response(platform.sql(), tenant, previous, now).await?;
        let found = found.ok_or_else(|| response_not_found().param("previous_response_id"))?;
        let (source, head) = (found.turn.session, found.turn.head);
        let is_stored = storing != Storing::Never;
        if is_stored && found.is_last {
            request.session_id = Some(source);
            return Ok(Continuation::After(head));
        }
        request.session_id = is_stored.then(|| auto_session(request_id)).transpose()?;
        return Ok(Continuation::Copy { source, head });
    }
    match (storing, request.session_id.take()) {
        (Storing::Never, Some(session)) => read_only(platform, tenant, session).await,
        (Storing::Always, None) => {
            request.session_id = Some(auto_session(request_id)?);
            Ok(Continuation::OwnHistory)
        }
        (_, named) => {
            request.session_id = named;
            Ok(Continuation::OwnHistory)
        }
    }
}

/// The history of a session that stores nothing.
async fn read_only<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: SessionId,
) -> Result<Continuation, ApiError> {
    let now = platform.time().now();
    match sessions::find(platform.sql(), tenant, &session, now).await? {
        Some(found) => Ok(Continuation::Copy {
            source: session,
            head: found.head,
        }),
        None if session.is_generated() => Err(session_not_found().param("conversation")),
        None => Ok(Continuation::OwnHistory),
    }
}
