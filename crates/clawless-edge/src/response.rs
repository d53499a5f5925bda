//! Answers as the stages give them, and their way onto the wire.

use std::convert::Infallible;

use clawless_core::{ApiError, RequestId};
use futures_util::stream::{LocalBoxStream, StreamExt};
use worker::{Headers, Response, ResponseBuilder};

use crate::crossing;

/// An answer to a client.
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside those that every answer carries.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

/// An answer's body.
pub enum Body {
    /// None.
    Empty,
    /// A JSON text.
    Json(String),
    /// A JSON text, piece by piece.
    JsonPieces(LocalBoxStream<'static, Vec<u8>>),
    /// A table of values, separated by commas.
    Csv(String),
    /// Server-sent events, as they come.
    Events(LocalBoxStream<'static, Vec<u8>>),
    /// An answer of another Worker, passed on as it is.
    Foreign(Response),
}

impl HttpResponse {
    /// A JSON answer with status 200.
    pub fn json(text: String) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Body::Json(text),
        }
    }

    /// A JSON answer with status 200.
    ///
    /// # Errors
    /// An internal error where the value cannot be written as JSON.
    pub fn of<T: serde::Serialize>(value: &T) -> Result<Self, ApiError> {
        serde_json::to_string(value)
            .map(Self::json)
            .map_err(ApiError::internal)
    }

    /// A stream of server-sent events with status 200.
    pub fn events(events: LocalBoxStream<'static, Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Body::Events(events),
        }
    }

    /// The value of a header that was added.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds several headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Puts the answer on the wire, under the request's id. Answers are private to the caller, so
    /// nothing between us may keep them.
    ///
    /// # Errors
    /// An internal error where the runtime refuses the answer.
    pub fn into_response(self, request_id: &RequestId) -> Result<Response, ApiError> {
        if let Body::Foreign(response) = self.body {
            let headers = Headers::new();
            for (name, value) in response.headers().entries() {
                headers.append(&name, &value).map_err(ApiError::internal)?;
            }
            set(&headers, "x-request-id", request_id.as_str())?;
            return Ok(response.with_headers(headers));
        }
        let content_type = match self.body {
            Body::Events(_) => Some(("content-type", "text/event-stream; charset=utf-8")),
            Body::Json(_) | Body::JsonPieces(_) => Some(("content-type", "application/json")),
            Body::Csv(_) => Some(("content-type", "text/csv; charset=utf-8")),
            Body::Empty | Body::Foreign(_) => None,
        };
        let always = [
            ("x-request-id", request_id.as_str()),
            ("cache-control", "no-store"),
        ];
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let lines = crossing::lines(always.into_iter().chain(own).chain(content_type));
        let headers = crossing::headers(&lines)
            .map(Headers)
            .map_err(|thrown| ApiError::internal(crossing::reason(&thrown)))?;
        let builder = ResponseBuilder::new()
            .with_status(self.status)
            .with_headers(headers);
        match self.body {
            Body::Empty => Ok(builder.empty()),
            Body::Json(text) | Body::Csv(text) => Ok(builder.fixed(text.into_bytes())),
            Body::Events(events) | Body::JsonPieces(events) => builder
                .from_stream(
                    events
                        .map(Ok::<_, Infallible>)
                        .map(|event| event.map_err(never)),
                )
                .map_err(ApiError::internal),
            Body::Foreign(response) => Ok(response),
        }
    }
}

/// The error of a stream that has none.
fn never(never: Infallible) -> worker::Error {
    match never {}
}

fn set(headers: &Headers, name: &str, value: &str) -> Result<(), ApiError> {
    headers.set(name, value).map_err(ApiError::internal)
}

impl From<ApiError> for HttpResponse {
    fn from(error: ApiError) -> Self {
        let mut answer = Self {
            status: error.status(),
            headers: error.headers.clone(),
            body: Body::Json(error.to_json()),
        };
        if let Some(wait) = error.retry_after {
            answer
                .headers
                .push(("retry-after", wait.ceil_secs().to_string()));
            answer
                .headers
                .push(("retry-after-ms", wait.get().to_string()));
        }
        if let Some(helps) = error.should_retry() {
            answer.headers.push(("x-should-retry", helps.to_string()));
        }
        answer
    }
}
