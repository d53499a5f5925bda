//! The answer of a turn that is stored, for whoever did not hear it to its end.

use std::rc::Rc;

use clawless_api::chat::{ChatCompletionResponse, ChunkWriter};
use clawless_core::chat::Message;
use clawless_core::ledger::{Input, LedgerAnswer};
use clawless_core::llm::{LlmChoice, LlmResponse};
use clawless_core::rounds::stored_answer;
use clawless_core::{ApiError, Clock, ErrorCode, RequestId, SessionId, TenantId};
use clawless_edge::http::{Body, Call, HttpResponse, RequestHead};
use clawless_llm::replay;
use clawless_store::messages;
use clawless_store::turns::{self, StoredTurn, TurnStatus};
use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::{LocalBoxStream, StreamExt, once, unfold};

use crate::caller::Caller;
use crate::idempotency::still_running;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::relay::{KEEP_ALIVE_EVENT, keep_alive_alarm};
use crate::turn::completion_id;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON body. `status` tells whether the answer came to its end.
    Whole {
        /// Whether it says so.
        with_status: bool,
    },
    /// Events.
    Stream {
        /// Whether they tell the usage.
        include_usage: bool,
    },
}

/// The answer of a stored turn: the id, the content, the tool calls, the reason of the end and the
/// usage that the first answer had. One that broke says so: by an error event without `[DONE]`, or
/// by its `status`.
///
/// # Errors
/// 503 where storage does not answer; what broke the turn, where the form has no place to say so.
pub async fn answer<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request: &RequestId,
    turn: StoredTurn,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let said = messages::of_turn(platform.sql(), tenant, &turn.session, turn.head).await?;
    let said: Vec<Message> = said.into_iter().map(|stored| stored.message).collect();
    let choice = stored_answer(&said, turn.finish_reason).map_err(ApiError::internal)?;
    let choice = choice.unwrap_or_else(|| LlmChoice {
        finish_reason: turn.finish_reason,
        ..LlmChoice::default()
    });
    let broke = match TurnStatus::try_from(turn.incomplete_reason).map_err(ApiError::internal)? {
        TurnStatus::Complete => None,
        TurnStatus::Incomplete(code) => Some(code),
    };
    if let (Form::Whole { with_status: false }, Some(code)) = (form, broke) {
        return Err(ApiError::new(code, code.why()).without_retry());
    }
    let response = LlmResponse {
        choices: vec![choice],
        usage: Some(turn.usage),
        ..LlmResponse::default()
    };
    let id = completion_id(request);
    let answer = match form {
        Form::Whole { with_status } => {
            let body = ChatCompletionResponse::new(id, turn.created_at, turn.model, response);
            if with_status {
                HttpResponse::of(&body.with_status(broke))?
            } else {
                HttpResponse::of(&body)?
            }
        }
        Form::Stream { include_usage } => {
            let writer = ChunkWriter::new(id, turn.created_at, turn.model, include_usage);
            let error = broke.map(|code| ApiError::new(code, code.why()));
            let text = writer.whole(&replay(response), turn.usage, error.as_ref());
            HttpResponse::events(once(async { text.into_bytes() }).boxed_local())
        }
    };
    Ok(answer.with_header("x-session-id", turn.session.as_str()))
}

/// `GET /v1/sessions/{id}/turns/{request_id}`: waits for a turn that runs, and answers it whole, as
/// events where the client takes those. Such a client gets signs of life while it waits; what goes
/// wrong after the first of them is an error event.
///
/// # Errors
/// 404 where the session has no such turn, and none under way; 409 with `retry-after` where it
/// runs on beyond our own time; 503 where storage or the
/// ledger does not answer.
pub async fn resume<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (session, request) = (call.param("id").parse(), call.param("request_id").parse());
    let (Ok(session), Ok(request)) = (session, request) else {
        // A text that cannot be an id names nothing.
        return Err(not_found());
    };
    let (platform, tenant) = (call.platform.clone(), call.caller.tenant().id.clone());
    match form(&call.head) {
        form @ Form::Whole { .. } => wait(&*platform, &tenant, &session, &request, form).await,
        form @ Form::Stream { .. } => {
            let (waiter, of) = (platform.clone(), session.clone());
            let waiting = async move { wait(&*waiter, &tenant, &of, &request, form).await };
            stream(platform, waiting.boxed_local(), &session).await
        }
    }
}

/// An answer that is waited for.
type Waiting = LocalBoxFuture<'static, Result<HttpResponse, ApiError>>;

/// Waits for an answer in events, as long as a client may go without a sign of life; begins to answer
/// then, and waits on.
async fn stream<P: Platform>(
    platform: Rc<P>,
    waiting: Waiting,
    session: &SessionId,
) -> Result<HttpResponse, ApiError> {
    let waiting = match select(waiting, keep_alive_alarm(&*platform)).await {
        Either::Left((answer, _)) => return answer,
        Either::Right(((), waiting)) => waiting,
    };
    let sign = || once(async { KEEP_ALIVE_EVENT.to_vec() }).boxed_local();
    let rest = unfold(Some(waiting), move |waiting| {
        let alarm = keep_alive_alarm(&*platform);
        async move {
            Some(match select(waiting?, alarm).await {
                Either::Left((answer, _)) => (events(answer), None),
                Either::Right(((), waiting)) => (sign(), Some(waiting)),
            })
        }
    });
    let events = sign().chain(rest.flatten()).boxed_local();
    Ok(HttpResponse::events(events).with_header("x-session-id", session.as_str()))
}

/// What is left to say of an answer whose status has gone out.
fn events(answer: Result<HttpResponse, ApiError>) -> LocalBoxStream<'static, Vec<u8>> {
    let error = match answer.map(|answer| answer.body) {
        Ok(Body::Events(events)) => return events,
        Ok(_) => ApiError::internal("a stream was asked for"),
        Err(error) => error,
    };
    tracing::warn!(
        internal = error.internal,
        "what was waited for did not come"
    );
    let mut text = String::new();
    ChunkWriter::fail(&error, &mut text);
    once(async { text.into_bytes() }).boxed_local()
}

/// The form that the client takes: events where it names them, else JSON.
fn form(head: &RequestHead) -> Form {
    let accepted = head.header("accept").unwrap_or_default();
    if accepted.contains("text/event-stream") {
        Form::Stream {
            include_usage: true,
        }
    } else {
        Form::Whole { with_status: true }
    }
}

async fn wait<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: &SessionId,
    request: &RequestId,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    let give_up = platform.time().now().plus(platform.config().total_timeout);
    // Looked at once more after the ledger said that it is over: the turn may have been stored in
    // between.
    let mut is_over = false;
    loop {
        let found = turns::find_by_request(platform.sql(), tenant, request).await?;
        match found.filter(|turn| turn.session == *session) {
            Some(turn) => return answer(platform, tenant, request, turn, form).await,
            None if is_over => return Err(not_found()),
            None if platform.time().now() >= give_up => return Err(still_running()),
            None => {}
        }
        let question = Input::Await {
            request_id: request.clone(),
            session_id: Some(session.clone()),
        };
        let output = platform.ledger().ask(tenant, question).await?;
        is_over = output.answer != LedgerAnswer::UnderWay;
    }
}

/// One answer for every turn that the caller cannot have: unknown, of another session, or of
/// another tenant.
fn not_found() -> ApiError {
    ApiError::new(
        ErrorCode::ResourceNotFound,
        "There is no such turn in this session.",
    )
}
