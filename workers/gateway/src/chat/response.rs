//! Renders answers as responses: the surface's body or events, and headers.

use std::task::Poll;

use clawless_api::activity::ToolActivity;
use clawless_api::responses::ResponseEcho;
use clawless_api::surface::{AnswerHead, EventWriter};
use clawless_core::chat::Usage;
use clawless_core::llm::{LlmChoice, LlmResponse};
use clawless_core::model::Model;
use clawless_core::{ApiError, ErrorCode, RequestId, SessionId, Timestamp};
use clawless_edge::http::{HttpResponse, PermitPart};
use clawless_llm::replay;
use clawless_store::idempotency::StoredResponse;
use futures_util::StreamExt;
use futures_util::stream::{LocalBoxStream, once, poll_fn};

use super::model::answer_format::AnswerFormat;
use super::model::call::{CallTrace, OpenStream};
use super::model::outcome::Outcome;
use super::model::turn::Turn;
use super::report::{MODEL, TRIES};
use crate::platform::Platform;

/// The most names in the header of dropped parameters.
const MAX_DROPPED_NAMES: usize = 32;

/// The writer of the events of a turn's answer by `model`.
pub fn writer(turn: &Turn, provider: &str, model: &Model) -> EventWriter {
    turn.format.rendering.writer(head(turn, provider, model))
}

fn head(turn: &Turn, provider: &str, model: &Model) -> AnswerHead {
    AnswerHead {
        origin: format!("{provider}/{}", model.id),
        request: turn.identity.request_id.clone(),
        created: turn.identity.started,
        completed: None,
        model: model.id.clone(),
    }
}

/// The response of a streamed answer that has begun. `body` carries its events.
pub fn stream<P: Platform>(
    turn: &Turn,
    stream: &OpenStream<P>,
    body: LocalBoxStream<'static, Vec<u8>>,
) -> HttpResponse {
    let response = HttpResponse::events(body);
    with_notes(response, turn, &stream.link.model, &stream.trace)
}

/// The response of a stream whose answer has not begun: without the headers of [`answer_notes`].
pub fn early_stream(turn: &Turn, body: LocalBoxStream<'static, Vec<u8>>) -> HttpResponse {
    HttpResponse::events(body).with_headers(turn_notes(turn))
}

/// The response of a whole answer.
///
/// # Errors
/// An internal error if the answer cannot be written as JSON.
pub fn whole(
    turn: &Turn,
    mut outcome: Outcome,
    trace: &CallTrace,
) -> Result<HttpResponse, ApiError> {
    let answer = std::mem::take(&mut outcome.answer);
    let response = HttpResponse::json(body(turn, &outcome, answer)?);
    Ok(with_notes(response, turn, &outcome.model, trace))
}

/// The record that replays the answer: the body, or all events. `None` if the request has no
/// idempotency key, and for a whole answer that broke off: its client got an error.
///
/// # Errors
/// An internal error if the answer cannot be written as JSON.
pub fn replay_record(turn: &Turn, outcome: &Outcome) -> Result<Option<StoredResponse>, ApiError> {
    let is_error = !turn.format.is_stream && outcome.failure.is_some();
    let Some(claim) = turn.claim.as_ref().filter(|_| !is_error) else {
        return Ok(None);
    };
    let answer = outcome.answer.clone();
    let text = if turn.format.is_stream {
        let mut writer = writer(turn, &outcome.provider, &outcome.model);
        writer.set_completed(outcome.completed);
        writer.whole(&replay(answer), outcome.usage, outcome.failure.as_ref())
    } else {
        body(turn, outcome, answer)?
    };
    Ok(Some(claim.record(text)))
}

/// The response of a recorded answer, in the format in which it was first sent. `held` counts it.
pub fn recorded(
    text: String,
    is_stream: bool,
    session: Option<&SessionId>,
    held: PermitPart,
) -> HttpResponse {
    let response = if is_stream {
        events(text, Some(held))
    } else {
        HttpResponse::json(text)
    };
    match session {
        None => response,
        Some(session) => response.with_header("x-session-id", session.as_str()),
    }
}

/// A stored turn's answer.
#[derive(Debug)]
pub struct StoredAnswer {
    /// The request that the turn answers.
    pub request: RequestId,
    /// When the request arrived.
    pub created_at: Timestamp,
    /// When the answer was complete, if that is known.
    pub completed: Option<Timestamp>,
    /// What its response repeats of the request.
    pub echo: ResponseEcho,
    /// The session.
    pub session: SessionId,
    /// The model that answered.
    pub model: String,
    /// The same as `provider/model`.
    pub origin: String,
    /// The answer.
    pub choice: LlmChoice,
    /// The tokens used.
    pub usage: Usage,
    /// Why the answer broke off, if it did.
    pub incomplete: Option<ErrorCode>,
    /// Counts the answer.
    pub held: Option<PermitPart>,
}

/// The response of a stored turn. An answer that broke off is reported by an error event, or by the
/// body if it can.
///
/// # Errors
/// Why the answer broke off, if the format cannot report it.
pub fn stored(answer: StoredAnswer, format: &AnswerFormat) -> Result<HttpResponse, ApiError> {
    let StoredAnswer {
        request,
        created_at,
        completed,
        echo: _,
        session,
        model,
        origin,
        choice,
        usage,
        incomplete,
        held,
    } = answer;
    let AnswerFormat {
        rendering,
        is_stream,
    } = format;
    if let Some(code) = incomplete
        && !is_stream
        && !rendering.has_incomplete_bodies()
    {
        return Err(ApiError::new(code, code.why()).without_retry());
    }
    let named = model.clone();
    let head = AnswerHead {
        request,
        created: created_at,
        completed,
        model,
        origin,
    };
    let answer = LlmResponse {
        choices: vec![choice],
        usage: Some(usage),
        ..LlmResponse::default()
    };
    let response = if *is_stream {
        let error = incomplete.map(|code| ApiError::new(code, code.why()));
        events(
            rendering
                .writer(head)
                .whole(&replay(answer), usage, error.as_ref()),
            held,
        )
    } else {
        let body = rendering.body(head, answer, Vec::new(), incomplete);
        HttpResponse::json(body.map_err(ApiError::internal)?)
    };
    Ok(response
        .with_header("x-session-id", session.as_str())
        .with_header(MODEL, named))
}

/// The response with these events. `held` counts them until they are sent.
fn events(text: String, mut held: Option<PermitPart>) -> HttpResponse {
    let events = once(async { text.into_bytes() });
    let end = poll_fn(move |_| {
        // The client has taken the events.
        drop(held.take());
        Poll::Ready(None)
    });
    HttpResponse::events(events.chain(end).boxed_local())
}

fn body(turn: &Turn, outcome: &Outcome, answer: LlmResponse) -> Result<String, ApiError> {
    let answer = LlmResponse {
        usage: Some(outcome.usage),
        ..answer
    };
    let activity = outcome.executions().iter().map(ToolActivity::ended);
    let head = AnswerHead {
        completed: outcome.completed,
        ..head(turn, &outcome.provider, &outcome.model)
    };
    let body = turn
        .format
        .rendering
        .body(head, answer, activity.collect(), None);
    body.map_err(ApiError::internal)
}

/// Adds the headers that report how the request was processed.
fn with_notes(
    response: HttpResponse,
    turn: &Turn,
    model: &Model,
    trace: &CallTrace,
) -> HttpResponse {
    let response = response.with_headers(turn_notes(turn));
    response.with_headers(answer_notes(turn, model, trace))
}

/// The headers that are known before an answer begins.
fn turn_notes(turn: &Turn) -> Vec<(&'static str, String)> {
    let mut notes = turn.notes.rates.pairs();
    notes.push(("x-clawless-route", turn.route.header()));
    let dropped = turn.notes.dropped.header();
    notes.extend(dropped.map(|dropped| ("x-clawless-history-dropped", dropped)));
    let session = turn.session.as_ref();
    notes.extend(session.map(|session| ("x-session-id", session.id.as_str().to_owned())));
    notes
}

/// The headers that name the model that answers, and what it needed.
pub fn answer_notes(turn: &Turn, model: &Model, trace: &CallTrace) -> Vec<(&'static str, String)> {
    let mut notes = vec![(MODEL, model.id.clone()), (TRIES, trace.tries.to_string())];
    let rendering = &turn.format.rendering;
    let dropped = trace.dropped.iter().chain(&turn.notes.ignored);
    let dropped: Vec<&str> = dropped.map(|name| rendering.parameter_name(name)).collect();
    if !dropped.is_empty() {
        notes.push(("x-clawless-dropped", dropped_header(&dropped)));
    }
    notes
}

/// The names of dropped parameters, and how many more there are.
fn dropped_header(names: &[&str]) -> String {
    let (shown, more) = names.split_at(names.len().min(MAX_DROPPED_NAMES));
    let shown = shown.join(", ");
    match more.len() {
        0 => shown,
        more => format!("{shown}, {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_maximum_are_counted() {
        assert_eq!(dropped_header(&["a", "b"]), "a, b");
        let names = ["x"; MAX_DROPPED_NAMES + 5];
        let header = dropped_header(&names);
        assert_eq!(header.matches('x').count(), MAX_DROPPED_NAMES);
        assert!(header.ends_with("x, 5 more"), "{header}");
    }
}
