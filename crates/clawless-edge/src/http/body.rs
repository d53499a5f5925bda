//! The body of a request: read once, up to a limit.

use std::cell::RefCell;

use clawless_core::time::{Clock, Millis};
use clawless_core::{ApiError, ErrorCode};
use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use worker::web_sys::Request;

use super::load::{Load, Permit, REQUEST_LEASE};
use crate::crossing;
use crate::promise::PromiseFuture;
use crate::time::EdgeTime;

/// How long a body may take before it must arrive at [`MIN_BODY_RATE`] on average.
const BODY_GRACE: Millis = Millis::from_secs(10);
/// The slowest average arrival of a body, in bytes a millisecond: 16 KiB a second.
const MIN_BODY_RATE: f64 = 16.0 * 1024.0 / 1000.0;
/// The longest time of a body.
const BODY_TIMEOUT: Millis = Millis::from_secs(120);
/// How long a refused body is read and discarded.
const DISCARD_TIMEOUT: Millis = Millis::from_secs(1);
/// A body that announces at most this many bytes is read at once, which is cheaper than in pieces.
const MAX_WHOLE_BYTES: usize = 64 * 1024;
/// The counted copies of a body: its bytes, the parsed request, and the request to the provider.
const BODY_COPIES: usize = 3;

/// A request's body. Nothing is read before a handler asks for it, so that requests which are
/// refused earlier cost no parsing (`docs/decisions/001-authenticate-before-parsing.md`).
#[derive(Debug)]
pub struct RequestBody {
    source: RefCell<Source>,
    /// The tenant whose share of the isolate's memory the body counts against; empty if unknown.
    tenant: RefCell<String>,
    permit: RefCell<Permit>,
}

#[derive(Debug)]
enum Source {
    /// A request, and the length that it announces for its body.
    Request(Request, Option<usize>),
    Bytes(Vec<u8>),
    Taken,
}

impl RequestBody {
    /// The body of a request that the runtime delivered, and the length that its head announces.
    pub fn from_request(request: Request, announced: Option<usize>) -> Self {
        Self::new(Source::Request(request, announced))
    }

    /// A body in memory, as tests have it.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::new(Source::Bytes(bytes))
    }

    fn new(source: Source) -> Self {
        Self {
            source: RefCell::new(source),
            tenant: RefCell::default(),
            permit: RefCell::default(),
        }
    }

    /// Counts the body against a tenant's share of the isolate's memory.
    pub fn count_for(&self, tenant: &str) {
        self.tenant.replace(tenant.to_owned());
    }

    /// Takes the body, of at most `limit` bytes. A body that was taken before is empty. It is counted
    /// until this value is dropped, or until [`Self::take_permit`].
    ///
    /// # Errors
    /// 503 or 429 if it does not fit what is left of the isolate's memory, before it is loaded; 413 over
    /// the limit, 408 if it arrives too slowly, 400 if it breaks off.
    pub async fn read(&self, limit: usize) -> Result<Vec<u8>, ApiError> {
        match self.take() {
            Source::Request(request, announced) => {
                let tenant = self.tenant.borrow().clone();
                let read = read_request(&request, announced, &tenant, limit);
                let (bytes, permit) = read.await?;
                self.permit.replace(permit);
                Ok(bytes)
            }
            Source::Bytes(bytes) if bytes.len() > limit => Err(too_large(limit)),
            Source::Bytes(bytes) => Ok(bytes),
            Source::Taken => Ok(Vec::new()),
        }
    }

    /// Takes the permit of the body that was read, to hold it longer than this value.
    pub fn take_permit(&self) -> Permit {
        self.permit.take()
    }

    /// Loads the body into memory without taking it, and returns its length in bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn load(&self, limit: usize) -> Result<usize, ApiError> {
        let bytes = self.read(limit).await?;
        let length = bytes.len();
        self.source.replace(Source::Bytes(bytes));
        Ok(length)
    }

    /// Takes the request itself, to forward it. `None` if the body was already taken.
    pub fn into_request(&self) -> Option<worker::Request> {
        match self.take() {
            Source::Request(request, _) => Some(request.into()),
            Source::Bytes(_) | Source::Taken => None,
        }
    }

    /// Completes when the client closes its connection before the end of the response. The runtime
    /// reports it by `request.signal` (compatibility flag `enable_request_signal`), which is not read
    /// before the future is first polled. Never completes for a body that is no longer, or never was,
    /// part of a request.
    pub fn departure(&self) -> impl Future<Output = ()> + 'static + use<> {
        let request = match &*self.source.borrow() {
            // Another reference: `request.clone()` would copy the body.
            Source::Request(request, _) => Some(Clone::clone(request)),
            Source::Bytes(_) | Source::Taken => None,
        };
        async move {
            let Some(request) = request else {
                return std::future::pending().await;
            };
            // Nothing rejects this promise.
            let _ = PromiseFuture::from(crossing::departed(&request)).await;
        }
    }

    fn take(&self) -> Source {
        self.source.replace(Source::Taken)
    }
}

/// Reads a body of at most `limit` bytes. Reading stops at the limit, whatever length the request
/// announced.
///
/// A body that announces up to twice the limit is read and discarded: proxies lose a response that
/// arrives while they are still sending.
async fn read_request(
    request: &Request,
    announced: Option<usize>,
    tenant: &str,
    limit: usize,
) -> Result<(Vec<u8>, Permit), ApiError> {
    let discarded = match announced {
        Some(announced) if announced > limit.saturating_mul(2) => return Err(too_large(limit)),
        Some(announced) if announced > limit => announced,
        _ => 0,
    };
    // A body of unknown length may have the largest. One that is discarded needs no room.
    let expected = if discarded > 0 {
        0
    } else {
        announced.unwrap_or(limit)
    };
    let counted = |bytes: usize| bytes.saturating_mul(BODY_COPIES);
    let (load, now) = (Load::of_isolate(), EdgeTime.now());
    let permit = match load.hold(tenant, counted(expected), now, REQUEST_LEASE) {
        Ok(permit) => permit,
        Err(error) => {
            discard(request, expected).await;
            return Err(error);
        }
    };
    let bytes = match announced {
        // HTTP holds a body to the length that it announced, so this one can be read at once.
        Some(announced) if announced <= limit.min(MAX_WHOLE_BYTES) => read_at_once(request).await?,
        _ if discarded > 0 => read_pieces(request, 0, discarded)
            .await?
            .unwrap_or_default(),
        _ => read_pieces(request, limit, 0)
            .await?
            .ok_or_else(|| too_large(limit))?,
    };
    if bytes.len() > limit || discarded > 0 {
        return Err(too_large(limit));
    }
    permit.resize(counted(bytes.len()));
    Ok((bytes, permit))
}

/// Discards what a client sends of a refused body, for a short time: one that is still sending may lose
/// the response.
async fn discard(request: &Request, length: usize) {
    let timeout = millis(DISCARD_TIMEOUT);
    let discarded = crossing::body_in_pieces(request, 0.0, number(length), timeout, 1.0, timeout);
    // The refusal is sent whatever happens to the body.
    let _ = PromiseFuture::from(discarded).await;
}

async fn read_at_once(request: &Request) -> Result<Vec<u8>, ApiError> {
    let reading = crossing::body_at_once(request, millis(BODY_GRACE));
    let reading = reading.map_err(|thrown| broken_off(crossing::reason(&thrown)))?;
    let read = PromiseFuture::from(reading).await;
    let read = read.map_err(|thrown| broken_off(crossing::reason(&thrown)))?;
    if read.is_undefined() {
        return Err(too_slow());
    }
    Ok(read.unchecked_into::<Uint8Array>().to_vec())
}

/// Reads a body in pieces; `None` if it is longer than `limit`. Such a body is read on up to
/// `discarded` bytes.
async fn read_pieces(
    request: &Request,
    limit: usize,
    discarded: usize,
) -> Result<Option<Vec<u8>>, ApiError> {
    let reading = crossing::body_in_pieces(
        request,
        number(limit),
        number(discarded),
        millis(BODY_GRACE),
        MIN_BODY_RATE,
        millis(BODY_TIMEOUT),
    );
    let read = PromiseFuture::from(reading).await;
    let read = read.map_err(|thrown| broken_off(crossing::reason(&thrown)))?;
    if read.is_undefined() {
        return Err(too_slow());
    }
    let is_too_large = read.as_f64().is_some();
    Ok((!is_too_large).then(|| read.unchecked_into::<Uint8Array>().to_vec()))
}

/// A length for JavaScript. Lengths of bodies are far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
const fn number(length: usize) -> f64 {
    length as f64
}

fn millis(span: Millis) -> f64 {
    u32::try_from(span.get()).unwrap_or(u32::MAX).into()
}

fn too_slow() -> ApiError {
    ApiError::new(
        ErrorCode::RequestTimeout,
        "The body did not arrive in time. Send it at 16 KiB a second or faster, within 120 seconds.",
    )
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
