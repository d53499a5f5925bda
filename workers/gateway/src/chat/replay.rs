//! Answers a repeated request with the first request's answer.

use clawless_core::{ApiError, RequestId};
use clawless_edge::http::HttpResponse;

use super::idempotency::FirstAnswer;
use super::model::pending_turn::PendingTurn;
use super::response::{recorded, stored};
use super::stored_answer::load;
use crate::platform::Platform;

/// The response of a repeated request.
///
/// # Errors
/// 503 if storage does not answer; why the first answer broke off, if it did.
pub async fn replay<P: Platform>(
    platform: &P,
    pending: &PendingTurn,
    first: FirstAnswer,
) -> Result<HttpResponse, ApiError> {
    let (request, response) = match first {
        FirstAnswer::Recorded { request, text } => {
            let session = pending.request.session_id.as_ref();
            let response = recorded(text, pending.request.stream, session);
            (request, response)
        }
        FirstAnswer::Stored { request, turn } => {
            let tenant = &pending.caller.tenant().id;
            let answer = load(platform, tenant, &request, *turn).await?;
            (request, stored(answer, pending.format())?)
        }
    };
    Ok(marked(response, &request))
}

/// Adds the headers that mark a replay and name the first request.
fn marked(response: HttpResponse, request: &RequestId) -> HttpResponse {
    response
        .with_header("idempotent-replayed", "true")
        .with_header("x-original-request-id", request.as_str())
}
