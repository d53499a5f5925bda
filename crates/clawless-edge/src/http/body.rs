//! The body of a request: read once, up to a limit.

use std::cell::RefCell;

use clawless_core::{ApiError, ErrorCode};
use futures_util::StreamExt;
use js_sys::{Promise, Uint8Array};
use worker::wasm_bindgen_futures::JsFuture;
use worker::{AbortSignal, Request};

use crate::crossing;

/// A request's body. Nothing is read before a handler asks for it, so that requests which are
/// refused earlier cost no parsing (`docs/decisions/001-authenticate-before-parsing.md`).
#[derive(Debug)]
pub struct RequestBody(RefCell<Source>);

#[derive(Debug)]
enum Source {
    Request(Request),
    Bytes(Vec<u8>),
    Taken,
}

impl RequestBody {
    /// The body of a request that the runtime delivered.
    pub const fn from_request(request: Request) -> Self {
        Self(RefCell::new(Source::Request(request)))
    }

    /// A body in memory, as tests have it.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(RefCell::new(Source::Bytes(bytes)))
    }

    /// Takes the body, of at most `limit` bytes. A body that was taken before is empty.
    ///
    /// # Errors
    /// 413 over the limit, 400 if the body breaks off.
    pub async fn read(&self, limit: usize) -> Result<Vec<u8>, ApiError> {
        match self.take() {
            Source::Request(mut request) => read_request(&mut request, limit).await,
            Source::Bytes(bytes) if bytes.len() > limit => Err(too_large(limit)),
            Source::Bytes(bytes) => Ok(bytes),
            Source::Taken => Ok(Vec::new()),
        }
    }

    /// Loads the body into memory without taking it, and returns its length in bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn load(&self, limit: usize) -> Result<usize, ApiError> {
        let bytes = self.read(limit).await?;
        let length = bytes.len();
        self.0.replace(Source::Bytes(bytes));
        Ok(length)
    }

    /// Takes the request itself, to forward it. `None` if the body was already taken.
    pub fn into_request(&self) -> Option<Request> {
        match self.take() {
            Source::Request(request) => Some(request),
            Source::Bytes(_) | Source::Taken => None,
        }
    }

    /// Completes when the client closes its connection before the end of the response. The runtime
    /// reports it by `request.signal` (compatibility flag `enable_request_signal`), which is not read
    /// before the future is first polled. Never completes for a body that is no longer, or never was,
    /// part of a request.
    pub fn departure(&self) -> impl Future<Output = ()> + 'static + use<> {
        let signal = match &*self.0.borrow() {
            Source::Request(request) => Some(AbortSignal::from(request.inner().signal())),
            Source::Bytes(_) | Source::Taken => None,
        };
        async move {
            let Some(signal) = signal else {
                return std::future::pending().await;
            };
            if !signal.aborted() {
                let closed = Promise::new(&mut |resolve, _| signal.set_onabort(Some(&resolve)));
                // Nothing rejects this promise.
                let _ = JsFuture::from(closed).await;
            }
        }
    }

    fn take(&self) -> Source {
        self.0.replace(Source::Taken)
    }
}

/// Reads a body of at most `limit` bytes. Reading stops at the limit, whatever length the request
/// announced.
///
/// A body that announces up to twice the limit is read and discarded: proxies lose a response that
/// arrives while they are still sending.
async fn read_request(request: &mut Request, limit: usize) -> Result<Vec<u8>, ApiError> {
    let announced = request.headers().get("content-length").ok().flatten();
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    // HTTP holds a body to the length that it announced, so this one can be read at once.
    if announced.is_some_and(|announced| announced <= limit) {
        let bytes = read_whole(request).await?;
        return if bytes.len() > limit {
            Err(too_large(limit))
        } else {
            Ok(bytes)
        };
    }
    let announced = announced.unwrap_or(0);
    if announced > limit.saturating_mul(2) {
        return Err(too_large(limit));
    }
    // A request without a body has no stream. Parsing then refuses the empty text.
    let Ok(mut stream) = request.stream() else {
        return Ok(Vec::new());
    };
    if announced > limit {
        let mut left = announced;
        while let (Some(Ok(piece)), true) = (stream.next().await, left > 0) {
            left = left.saturating_sub(piece.len());
        }
        return Err(too_large(limit));
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(broken_off)?;
        if body.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

async fn read_whole(request: &Request) -> Result<Vec<u8>, ApiError> {
    let reading = request.inner().array_buffer();
    let reading = reading.map_err(|thrown| broken_off(crossing::reason(&thrown)))?;
    let buffer = JsFuture::from(reading).await;
    let buffer = buffer.map_err(|thrown| broken_off(crossing::reason(&thrown)))?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ErrorCode::RequestTooLarge,
        format!("The body is larger than the limit of {limit} bytes."),
    )
}

fn broken_off(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidJson,
        "The body ended before its announced length.",
    )
    .with_internal(error)
}
