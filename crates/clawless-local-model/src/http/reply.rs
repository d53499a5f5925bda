//! Relays an answer, whole or as server-sent events.

use super::chunks::{Collected, Head};
use crate::engine::Answer;
use crate::error::ApiError;
use crate::event::Event;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

/// A stream's status line waits this long for the first event, so that an early failure is a 500.
const FIRST_EVENT: Duration = Duration::from_secs(3);
/// The pause after which a comment is sent, so that proxies do not close an idle stream.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A JSON response.
pub(crate) fn json_response(body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json_response(&self.envelope());
        *response.status_mut() = self.status;
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Waits for the end and returns the whole answer.
pub(crate) async fn whole(mut answer: Answer, head: &Head) -> Result<Response, ApiError> {
    let mut collected = Collected::default();
    while let Some(event) = answer.next().await {
        match event {
            Event::Text(text) => collected.text.push_str(&text),
            Event::Call(call) => collected.calls.push(call),
            Event::Failed(message) => return Err(ApiError::failed(message)),
            Event::Done(finished) => {
                return Ok(json_response(&head.completion(&collected, &finished)));
            }
        }
    }
    Err(ApiError::failed("The local model stopped answering."))
}

/// Streams the answer in chunks.
pub(crate) async fn streamed(
    mut answer: Answer,
    head: Head,
    include_usage: bool,
) -> Result<Response, ApiError> {
    let first = match tokio::time::timeout(FIRST_EVENT, answer.next()).await {
        Ok(Some(Event::Failed(message))) => return Err(ApiError::failed(message)),
        Ok(None) => return Err(ApiError::failed("The local model stopped answering.")),
        Ok(first) => first,
        Err(_) => None,
    };
    let mut relay = Relay {
        answer,
        head,
        include_usage,
        calls: 0,
        frames: VecDeque::new(),
        ended: false,
    };
    relay.begin(first);
    let frames = stream::unfold(relay, |mut relay| async {
        let frame = relay.next().await?;
        Some((Ok::<_, Infallible>(frame), relay))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// A running stream. A disconnect drops it and its answer, which ends the decoding.
struct Relay {
    answer: Answer,
    head: Head,
    include_usage: bool,
    calls: usize,
    frames: VecDeque<Bytes>,
    ended: bool,
}

impl Relay {
    fn begin(&mut self, first: Option<Event>) {
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        self.push(&self.head.delta(&role, self.include_usage));
        if let Some(event) = first {
            self.take(event);
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            if self.ended {
                return None;
            }
            match tokio::time::timeout(KEEP_ALIVE, self.answer.next()).await {
                Err(_) => return Some(Bytes::from_static(b": keep-alive\n\n")),
                Ok(Some(event)) => self.take(event),
                Ok(None) => self.take(Event::Failed("The local model stopped answering.".into())),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Text(text) => {
                let delta = json!({"content": text});
                self.push(&self.head.delta(&delta, self.include_usage));
            }
            Event::Call(call) => {
                self.push(&self.head.call_delta(self.calls, &call, self.include_usage));
                self.calls += 1;
            }
            Event::Done(finished) => {
                self.push(&self.head.end(finished.stop, self.include_usage));
                if self.include_usage {
                    self.push(&self.head.usage(&finished.usage));
                }
                self.frames
                    .push_back(Bytes::from_static(b"data: [DONE]\n\n"));
                self.ended = true;
            }
            // Without `[DONE]`, so that every client detects the failure.
            Event::Failed(message) => {
                self.push(&ApiError::failed(message).envelope());
                self.ended = true;
            }
        }
    }

    fn push(&mut self, data: &Value) {
        self.frames
            .push_back(Bytes::from(format!("data: {data}\n\n")));
    }
}
