//! Responses as handlers return them, and their conversion to the runtime's.

use std::borrow::Cow;
use std::convert::Infallible;

use clawless_api::envelope::error_envelope;
use clawless_core::{ApiError, RequestId};
use futures_util::stream::{LocalBoxStream, StreamExt};
use js_sys::Uint8Array;
use worker::{EncodeBody, Headers, Response, ResponseBuilder};

use super::delivery::{Interrupted, Pages};
use crate::{crossing, logging};

/// The content type of JSON.
pub const JSON: &str = "application/json";
/// The content type of comma-separated values.
pub const CSV: &str = "text/csv; charset=utf-8";

/// A response to a client.
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside those that every response has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

/// The body of a response.
pub enum Body {
    /// None.
    Empty,
    /// A JSON text.
    Json(String),
    /// A text of this content type, page by page.
    Pages(&'static str, Pages),
    /// A table as comma-separated values.
    Csv(String),
    /// A text that is part of the Worker.
    Compressed(Compressed),
    /// A file of this content type.
    Bytes(&'static str, Cow<'static, [u8]>),
    /// Server-sent events.
    Events(LocalBoxStream<'static, Vec<u8>>),
    /// The response of another Worker, forwarded unchanged.
    Foreign(Response),
}

/// A text that is part of the Worker, compressed.
#[derive(Debug, Clone, Copy)]
pub struct Compressed {
    /// The content type.
    pub content_type: &'static str,
    /// The text in the format of gzip.
    pub gzip: &'static [u8],
    /// Whether it is sent so. Otherwise it is decompressed.
    pub is_sent_so: bool,
}

impl HttpResponse {
    /// A response without headers of its own.
    pub const fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// A JSON response with status 200.
    pub fn json(text: String) -> Self {
        Self::new(200, Body::Json(text))
    }

    /// A JSON response with status 200.
    ///
    /// # Errors
    /// An internal error if the value cannot be written as JSON.
    pub fn of<T: serde::Serialize>(value: &T) -> Result<Self, ApiError> {
        serde_json::to_string(value)
            .map(Self::json)
            .map_err(ApiError::internal)
    }

    /// A stream of server-sent events with status 200.
    pub fn events(events: LocalBoxStream<'static, Vec<u8>>) -> Self {
        Self::new(200, Body::Events(events))
    }

    /// The length of a text in memory; none for other bodies.
    pub const fn text_bytes(&self) -> Option<usize> {
        match &self.body {
            Body::Json(text) | Body::Csv(text) => Some(text.len()),
            _ => None,
        }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Changes the status.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
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

    /// Converts to the runtime's response and adds the request's id. Responses are private to the
    /// caller, so caches must not store them.
    ///
    /// # Errors
    /// An internal error if the runtime rejects the response.
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
            Body::Json(_) => Some(("content-type", JSON)),
            Body::Csv(_) => Some(("content-type", CSV)),
            Body::Pages(content_type, _)
            | Body::Bytes(content_type, _)
            | Body::Compressed(Compressed { content_type, .. }) => {
                Some(("content-type", content_type))
            }
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
            Body::Compressed(text) if text.is_sent_so => Ok(builder
                .with_encode_body(EncodeBody::Manual)
                .fixed(text.gzip.to_vec())),
            Body::Compressed(text) => {
                let text = crossing::decompressed(&Uint8Array::from(text.gzip));
                Ok(builder.stream(text))
            }
            Body::Bytes(_, bytes) => Ok(builder.fixed(bytes.into_owned())),
            Body::Events(events) => builder
                .from_stream(
                    logging::in_current_span(events)
                        .map(Ok::<_, Infallible>)
                        .map(|event| event.map_err(never)),
                )
                .map_err(ApiError::internal),
            Body::Pages(_, pages) => builder
                .from_stream(pages.map(|page| page.map_err(interrupted)))
                .map_err(ApiError::internal),
            Body::Foreign(response) => Ok(response),
        }
    }
}

/// The error of a stream that has none.
fn never(never: Infallible) -> worker::Error {
    match never {}
}

fn interrupted(error: Interrupted) -> worker::Error {
    worker::Error::RustError(error.to_string())
}

fn set(headers: &Headers, name: &str, value: &str) -> Result<(), ApiError> {
    headers.set(name, value).map_err(ApiError::internal)
}

impl From<ApiError> for HttpResponse {
    fn from(error: ApiError) -> Self {
        let body = error_envelope(&error);
        Self::of_error(error, body)
    }
}

impl HttpResponse {
    /// The response to an error, with a JSON body that describes it.
    pub fn of_error(error: ApiError, body: String) -> Self {
        let (status, helps) = (error.status(), error.should_retry());
        let mut response = Self {
            status,
            headers: error.headers,
            body: Body::Json(body),
        };
        if let Some(wait) = error.retry_after {
            response
                .headers
                .push(("retry-after", wait.ceil_secs().to_string()));
            response
                .headers
                .push(("retry-after-ms", wait.get().to_string()));
        }
        if let Some(helps) = helps {
            response.headers.push(("x-should-retry", helps.to_string()));
        }
        response
    }
}
