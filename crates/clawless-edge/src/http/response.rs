//! Responses as handlers return them, and their conversion to the runtime's.

use std::borrow::Cow;
use std::rc::Rc;

use clawless_api::envelope::error_envelope;
use clawless_core::{ApiError, RequestId};
use futures_util::stream::{LocalBoxStream, StreamExt};
use js_sys::Uint8Array;
use worker::Headers;
use worker::web_sys::Response;

use super::delivery::Pages;
use super::load::Permit;
use super::pump;
use crate::crossing;
use crate::tasks::Tasks;

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
    /// Counts what the body holds in memory, if another permit than the request's does.
    pub permit: Option<Rc<Permit>>,
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
    /// A file of this content type, in the encoding that `content-encoding` names.
    Encoded(&'static str, &'static [u8]),
    /// Server-sent events.
    Events(LocalBoxStream<'static, Vec<u8>>),
    /// The response of another Worker, forwarded unchanged.
    Foreign(worker::Response),
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
            permit: None,
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

    /// Counts the body by this permit until it is delivered.
    #[must_use]
    pub fn with_permit(mut self, permit: Rc<Permit>) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Converts to the runtime's response and adds the request's id. Responses are private to the
    /// caller, so caches must not store them. A stream is delivered by one of the request's `tasks`. To
    /// HEAD, the body is left out.
    ///
    /// # Errors
    /// An internal error if the runtime rejects the response.
    pub fn into_response(
        self,
        request_id: &RequestId,
        tasks: &Rc<Tasks>,
        is_head: bool,
    ) -> Result<Response, ApiError> {
        let content_type = match &self.body {
            Body::Events(_) => Some("text/event-stream; charset=utf-8"),
            Body::Json(_) => Some(JSON),
            Body::Csv(_) => Some(CSV),
            Body::Pages(content_type, _)
            | Body::Bytes(content_type, _)
            | Body::Encoded(content_type, _)
            | Body::Compressed(Compressed { content_type, .. }) => Some(*content_type),
            Body::Empty | Body::Foreign(_) => None,
        };
        let always = [
            ("x-request-id", request_id.as_str()),
            ("cache-control", "no-store"),
        ];
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (*name, value.as_str()));
        let content_type = content_type.map(|content_type| ("content-type", content_type));
        let lines = crossing::lines(always.into_iter().chain(own).chain(content_type));
        let whole = |body, is_encoded| crossing::respond(self.status, &lines, body, is_encoded);
        let streamed = |body: &_| crossing::respond_with_stream(self.status, &lines, body);
        let pumped = |pieces| streamed(&pump::into_body(pieces, tasks)?);
        let created = match self.body {
            Body::Foreign(response) => return forwarded(response, request_id),
            Body::Empty => whole(None, false),
            _ if is_head => whole(None, false),
            Body::Json(text) | Body::Csv(text) => whole(Some(text.as_bytes()), false),
            Body::Compressed(text) if text.is_sent_so => whole(Some(text.gzip), true),
            Body::Compressed(text) => {
                streamed(&crossing::decompressed(&Uint8Array::from(text.gzip)))
            }
            Body::Bytes(_, bytes) => whole(Some(&bytes), false),
            Body::Encoded(_, bytes) => whole(Some(bytes), true),
            Body::Events(events) => pumped(events.map(Ok).boxed_local()),
            Body::Pages(_, pages) => pumped(pages),
        };
        created.map_err(|thrown| ApiError::internal(crossing::reason(&thrown)))
    }
}

/// Another Worker's response under the id of the request.
fn forwarded(response: worker::Response, request_id: &RequestId) -> Result<Response, ApiError> {
    let headers = Headers::new();
    for (name, value) in response.headers().entries() {
        headers.append(&name, &value).map_err(ApiError::internal)?;
    }
    headers
        .set("x-request-id", request_id.as_str())
        .map_err(ApiError::internal)?;
    Ok(response.with_headers(headers).into())
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
            permit: None,
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
