//! `GET /v1/sessions/{id}/turns/{request_id}`: the answer of a stored turn, for a client that did
//! not receive all of it.

use std::rc::Rc;

use clawless_api::chat::{ChatRendering, KEEP_ALIVE, failure_event};
use clawless_api::fields::check_session_id;
use clawless_api::surface::Rendering;
use clawless_core::ledger::{Input, LedgerAnswer};
use clawless_core::{ApiError, Clock, ErrorCode, RequestId, SessionId, TenantId};
use clawless_edge::http::{Body, Call, HttpResponse, Load, Reader, RequestHead};
use clawless_edge::ledger::Ledger;
use clawless_store::turns;
use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::{LocalBoxStream, StreamExt, once, unfold};

use crate::caller::Caller;
use crate::chat::idempotency::still_running;
use crate::chat::keep_alive;
use crate::chat::model::answer_format::AnswerFormat;
use crate::chat::response::stored;
use crate::chat::stored_answer::load;
use crate::platform::Platform;

/// Waits for a running turn and sends its whole answer, as events if the client accepts them. Such
/// a client gets keep-alive events while it waits; after the first one, errors are events.
///
/// # Errors
/// 400 for an invalid session id; 404 if the session has no such turn and none is running; 409 with `retry-after` if the turn runs
/// longer than the longest wait; 503 if storage or the ledger does not answer.
pub async fn resume<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let session = check_session_id(call.param("id"), "session_id")?;
    // A malformed id names no turn.
    let request = call.param("request_id").parse().map_err(|_| not_found())?;
    let (platform, tenant) = (call.platform.clone(), call.caller.tenant().id.clone());
    let format = format(&call.head);
    if !format.is_stream {
        let reader = call.reader.as_ref();
        return wait(&*platform, &tenant, &session, &request, &format, reader).await;
    }
    let (waiter, id, reader) = (platform.clone(), session.clone(), call.reader.clone());
    let pending =
        async move { wait(&*waiter, &tenant, &id, &request, &format, reader.as_ref()).await };
    stream(platform, pending.boxed_local(), &session).await
}

/// The response that the client waits for.
type Pending = LocalBoxFuture<'static, Result<HttpResponse, ApiError>>;

/// Waits for a streamed response. After the time of one keep-alive, the response begins with
/// keep-alive events.
async fn stream<P: Platform>(
    platform: Rc<P>,
    pending: Pending,
    session: &SessionId,
) -> Result<HttpResponse, ApiError> {
    let pending = match select(pending, keep_alive::timer(&*platform)).await {
        Either::Left((response, _)) => return response,
        Either::Right(((), pending)) => pending,
    };
    let keep_alive_event = || once(async { KEEP_ALIVE.into() }).boxed_local();
    let rest = unfold(Some(pending), move |pending| {
        let timer = keep_alive::timer(&*platform);
        async move {
            Some(match select(pending?, timer).await {
                Either::Left((response, _)) => (events(response), None),
                Either::Right(((), pending)) => (keep_alive_event(), Some(pending)),
            })
        }
    });
    let events = keep_alive_event().chain(rest.flatten()).boxed_local();
    Ok(HttpResponse::events(events).with_header("x-session-id", session.as_str()))
}

/// The events of a response whose status has been sent.
fn events(response: Result<HttpResponse, ApiError>) -> LocalBoxStream<'static, Vec<u8>> {
    let error = match response.map(|response| response.body) {
        Ok(Body::Events(events)) => return events,
        Ok(_) => ApiError::internal("expected a stream"),
        Err(error) => error,
    };
    tracing::warn!(internal = error.internal, "resume turn failed");
    once(async move { failure_event(&error).into_bytes() }).boxed_local()
}

/// The format that the client accepts: events if it names them, otherwise JSON. A turn of any surface
/// is rendered as a chat completion, in which sessions show their messages, too.
fn format(head: &RequestHead) -> AnswerFormat {
    let accepted = head.header("accept").unwrap_or_default();
    AnswerFormat {
        rendering: Rendering::Chat(ChatRendering {
            include_usage: true,
            with_status: true,
        }),
        is_stream: accepted.contains("text/event-stream"),
    }
}

/// Waits until the turn is stored, then renders it.
async fn wait<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: &SessionId,
    request: &RequestId,
    format: &AnswerFormat,
    reader: Option<&Reader>,
) -> Result<HttpResponse, ApiError> {
    let give_up = platform.time().now().plus(platform.config().total_timeout);
    // One more read after the ledger reports the end: the turn may have been stored in between.
    let mut has_ended = false;
    loop {
        let (sql, now) = (platform.sql(), platform.time().now());
        match turns::find_in_session(sql, tenant, session, request, now).await? {
            Some(turn) => {
                let permit = Load::of_isolate().read_for(reader, platform.time()).await?;
                let answer = load(platform, tenant, request, turn, &permit).await?;
                return Ok(stored(answer, format)?.with_permit(permit));
            }
            None if has_ended => return Err(not_found()),
            None if platform.time().now() >= give_up => return Err(still_running()),
            None => {}
        }
        let input = Input::Await {
            request_id: request.clone(),
            session_id: Some(session.clone()),
        };
        let output = platform.ledger().call(tenant, input).await?;
        has_ended = output.answer != LedgerAnswer::UnderWay;
    }
}

/// The error for every turn that the caller cannot use: unknown, of another session, or of another
/// tenant.
fn not_found() -> ApiError {
    ApiError::new(
        ErrorCode::ResourceNotFound,
        "There is no such turn in this session.",
    )
}
