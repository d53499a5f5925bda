//! Answers a repeated request with the first request's answer, and names the model that gave it.

use clawless_api::responses::is_auto_session;
use clawless_api::surface::recorded_model;
use clawless_core::{ApiError, Clock, RequestId};
use clawless_edge::http::HttpResponse;

use super::idempotency::FirstAnswer;
use super::model::pending_turn::PendingTurn;
use super::report::{MODEL, TRIES};
use super::response::{recorded, stored};
use super::stored_answer::load;
use crate::platform::Platform;

/// The copies of a recorded answer: its row, and the response.
const TEXT_COPIES: usize = 2;

/// The response of a repeated request. No provider was called for it.
///
/// # Errors
/// 429 and 503 if there is no room for the answer; 503 if storage does not answer; why the first answer broke off, if it did.
pub async fn replay<P: Platform>(
    platform: &P,
    pending: &PendingTurn,
    first: FirstAnswer,
) -> Result<HttpResponse, ApiError> {
    let (request, response) = match first {
        FirstAnswer::Recorded { request, text } => {
            // A session that was created for this request has not been used.
            let session = pending.request.session_id.as_ref();
            let session = session.filter(|id| !is_auto_session(id));
            let model = recorded_model(&text, pending.request.stream);
            let bytes = text.len().saturating_mul(TEXT_COPIES);
            let held = pending.permit.hold_more(bytes, platform.time().now())?;
            let response = recorded(text, pending.request.stream, session, held);
            let model = model.map(|model| (MODEL, model));
            (request, response.with_headers(model.into_iter().collect()))
        }
        FirstAnswer::Stored { request, turn } => {
            let tenant = &pending.caller.tenant().id;
            let model = turn.model.clone();
            let answer = load(platform, tenant, &request, *turn, &pending.permit).await?;
            let response = stored(answer, &pending.format()).map_err(|error| {
                let error = error.header(MODEL, model).header(TRIES, "0");
                error.headers(marks(&request))
            });
            (request, response?)
        }
    };
    Ok(response
        .with_header(TRIES, "0")
        .with_headers(marks(&request))
        .with_permit(pending.permit.clone()))
}

/// The headers that mark a replay and name the first request.
fn marks(request: &RequestId) -> Vec<(&'static str, String)> {
    vec![
        ("idempotent-replayed", "true".to_owned()),
        ("x-original-request-id", request.as_str().to_owned()),
    ]
}
