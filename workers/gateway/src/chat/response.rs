//! Renders answers of the chat surface: bodies, stream events, headers.

use clawless_api::chat::{ChatCompletionResponse, ChunkWriter, ToolActivity};
use clawless_core::chat::Usage;
use clawless_core::llm::{LlmChoice, LlmEvent, LlmResponse};
use clawless_core::model::Model;
use clawless_core::{
    ApiError, ErrorCode, RequestId, SessionId, Timestamp, ToolCall, ToolExecution,
};
use clawless_edge::http::HttpResponse;
use clawless_llm::replay;
use clawless_store::idempotency::StoredResponse;
use futures_util::StreamExt;
use futures_util::stream::{LocalBoxStream, once};

use super::model::answer_format::AnswerFormat;
use super::model::call::{CallTrace, OpenStream};
use super::model::outcome::Outcome;
use super::model::turn::Turn;
use super::report::{MODEL, TRIES};
use crate::platform::Platform;

/// The completion's id: the request's, with `OpenAI`'s prefix.
pub fn completion_id(request: &RequestId) -> String {
    let id = request.as_str();
    let bare = id.strip_prefix(RequestId::PREFIX).unwrap_or(id);
    format!("chatcmpl-{bare}")
}

/// Encodes the events of an answer for the client.
#[derive(Debug)]
pub struct StreamEncoder(ChunkWriter);

impl StreamEncoder {
    /// The encoder of a turn's answer by `model`.
    pub fn new(turn: &Turn, model: &Model) -> Self {
        let include_usage = matches!(
            turn.format,
            AnswerFormat::Stream {
                include_usage: true
            }
        );
        let id = completion_id(&turn.identity.request_id);
        Self(ChunkWriter::new(
            id,
            turn.identity.started,
            model.id.clone(),
            include_usage,
        ))
    }

    /// Appends an event of the answer.
    pub fn event(&mut self, event: &LlmEvent, out: &mut String) {
        self.0.event(event, out);
    }

    /// Appends tool calls that start to run.
    pub fn tool_calls(&mut self, calls: &[ToolCall], out: &mut String) {
        let activity: Vec<_> = calls.iter().map(ToolActivity::running).collect();
        self.0.activity(&activity, out);
    }

    /// Appends tool calls that have ended.
    pub fn tool_results(&mut self, executions: &[ToolExecution], out: &mut String) {
        let activity: Vec<_> = executions.iter().map(ToolActivity::ended).collect();
        self.0.activity(&activity, out);
    }

    /// Appends the end of a complete answer.
    pub fn finish(&self, usage: Usage, out: &mut String) {
        self.0.finish(usage, out);
    }

    /// Appends a comment with these lines, which every client ignores.
    pub fn comment(lines: &[(&str, String)], out: &mut String) {
        for (name, value) in lines {
            // A line end would begin an event.
            let value: String = value.chars().filter(|it| !it.is_control()).collect();
            out.extend([": ", name, ": ", &value, "\n"]);
        }
        out.push('\n');
    }

    /// Appends an error, which ends the stream.
    pub fn fail(error: &ApiError, out: &mut String) {
        ChunkWriter::fail(error, out);
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
    let response = HttpResponse::of(&body(turn, &outcome, answer))?;
    Ok(with_notes(response, turn, &outcome.model, trace))
}

/// The record that replays the answer: the body, or all events. `None` if the request has no
/// idempotency key, and for a whole answer that broke off: its client got an error.
///
/// # Errors
/// An internal error if the answer cannot be written as JSON.
pub fn replay_record(turn: &Turn, outcome: &Outcome) -> Result<Option<StoredResponse>, ApiError> {
    let is_error = !turn.format.is_stream() && outcome.failure.is_some();
    let Some(claim) = turn.claim.as_ref().filter(|_| !is_error) else {
        return Ok(None);
    };
    let answer = outcome.answer.clone();
    let text = if turn.format.is_stream() {
        let StreamEncoder(writer) = StreamEncoder::new(turn, &outcome.model);
        let events = replay(answer);
        writer.whole(&events, outcome.usage, outcome.failure.as_ref())
    } else {
        serde_json::to_string(&body(turn, outcome, answer)).map_err(ApiError::internal)?
    };
    Ok(Some(claim.record(text)))
}

/// The response of a recorded answer, in the format in which it was first sent.
pub fn recorded(text: String, is_stream: bool, session: Option<&SessionId>) -> HttpResponse {
    let response = if is_stream {
        events(text)
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
    /// The session.
    pub session: SessionId,
    /// The model that answered.
    pub model: String,
    /// The answer.
    pub choice: LlmChoice,
    /// The tokens used.
    pub usage: Usage,
    /// Why the answer broke off, if it did.
    pub incomplete: Option<ErrorCode>,
}

/// The response of a stored turn. An answer that broke off is reported by an error event without
/// `[DONE]`, or by the body's `status`.
///
/// # Errors
/// Why the answer broke off, if the format cannot report it.
pub fn stored(answer: StoredAnswer, format: AnswerFormat) -> Result<HttpResponse, ApiError> {
    let StoredAnswer {
        request,
        created_at,
        session,
        model,
        choice,
        usage,
        incomplete,
    } = answer;
    if let (AnswerFormat::Whole { with_status: false }, Some(code)) = (format, incomplete) {
        return Err(ApiError::new(code, code.why()).without_retry());
    }
    let id = completion_id(&request);
    let named = model.clone();
    let answer = LlmResponse {
        choices: vec![choice],
        usage: Some(usage),
        ..LlmResponse::default()
    };
    let response = match format {
        AnswerFormat::Whole { with_status } => {
            let body = ChatCompletionResponse::new(id, created_at, model, answer);
            if with_status {
                HttpResponse::of(&body.with_status(incomplete))?
            } else {
                HttpResponse::of(&body)?
            }
        }
        AnswerFormat::Stream { include_usage } => {
            let writer = ChunkWriter::new(id, created_at, model, include_usage);
            let error = incomplete.map(|code| ApiError::new(code, code.why()));
            events(writer.whole(&replay(answer), usage, error.as_ref()))
        }
    };
    Ok(response
        .with_header("x-session-id", session.as_str())
        .with_header(MODEL, named))
}

/// An error event, which ends a stream whose status has been sent.
pub fn error_event(error: &ApiError) -> Vec<u8> {
    let mut text = String::new();
    StreamEncoder::fail(error, &mut text);
    text.into_bytes()
}

fn events(text: String) -> HttpResponse {
    HttpResponse::events(once(async { text.into_bytes() }).boxed_local())
}

fn body(turn: &Turn, outcome: &Outcome, answer: LlmResponse) -> ChatCompletionResponse {
    let answer = LlmResponse {
        usage: Some(outcome.usage),
        ..answer
    };
    let id = completion_id(&turn.identity.request_id);
    let model = outcome.model.id.clone();
    let body = ChatCompletionResponse::new(id, turn.identity.started, model, answer);
    match outcome.executions() {
        [] => body,
        executions => body.with_activity(executions.iter().map(ToolActivity::ended).collect()),
    }
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
    let mut dropped = trace.dropped.clone();
    dropped.extend(turn.notes.ignored.iter().map(|&name| name.into()));
    if !dropped.is_empty() {
        notes.push(("x-clawless-dropped", dropped.join(", ")));
    }
    notes
}
