//! `GET /v1/responses/{id}`.

use clawless_api::responses::{ResponsesRendering, response_not_found};
use clawless_api::surface::Rendering;
use clawless_core::ledger::{Input, LedgerAnswer};
use clawless_core::{ApiError, Clock};
use clawless_edge::http::{Call, HttpResponse, Load};
use clawless_edge::ledger::Ledger;

use super::find::{find, request_of};
use crate::caller::Caller;
use crate::chat::idempotency::still_running;
use crate::chat::model::answer_format::AnswerFormat;
use crate::chat::response::stored;
use crate::chat::stored_answer::load;
use crate::platform::Platform;

/// Shows a stored response; waits for one that still runs.
///
/// # Errors
/// 404 if there is no such response; 429 for too many reads; 409 with `retry-after` if it runs longer than the longest wait;
/// 503 if storage or the ledger does not answer.
pub async fn show<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let request = request_of(call.param("id"))?;
    let give_up = platform.time().now().plus(platform.config().total_timeout);
    // One more read after the ledger reports the end: the turn may have been stored in between.
    let mut has_ended = false;
    loop {
        if let Some(found) = find(platform, tenant, &request).await? {
            let reader = call.reader.as_ref();
            let permit = Load::of_isolate().read_for(reader, platform.time()).await?;
            let mut answer = load(platform, tenant, &request, found.turn, &permit).await?;
            let echo = std::mem::take(&mut answer.echo);
            let format = AnswerFormat {
                rendering: Rendering::Responses(ResponsesRendering::of_stored(echo)),
                is_stream: false,
            };
            return Ok(stored(answer, &format)?.with_permit(permit));
        }
        if has_ended {
            return Err(response_not_found());
        }
        if platform.time().now() >= give_up {
            return Err(still_running());
        }
        let input = Input::Await {
            request_id: request.clone(),
            session_id: None,
        };
        let output = platform.ledger().call(tenant, input).await?;
        has_ended = output.answer != LedgerAnswer::UnderWay;
    }
}
