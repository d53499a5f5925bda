//! Outgoing HTTP by the runtime's `fetch`, and calls of the platform's own models.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use clawless_llm::ports::{HEADERS_READ, Http, HttpError, HttpRequest, HttpResponse};
use futures_util::Stream;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use worker::web_sys::{self, AbortController, AbortSignal, ReadableStreamDefaultReader};
use worker::{AbortSignal as WorkerSignal, Env};

use crate::ai::Ai;
use crate::crossing;
use crate::promise::PromiseFuture;

/// A response that announces at most this many bytes is read at once: 64 KiB. Reading in pieces costs
/// several times as much, and only streams need it.
const MAX_WHOLE_BYTES: u64 = 64 * 1024;

/// The runtime's `fetch`, and the AI binding for the platform's own models.
#[derive(Debug, Clone)]
pub struct EdgeHttp {
    env: Env,
}

impl EdgeHttp {
    /// The port over a Worker's bindings.
    pub const fn new(env: Env) -> Self {
        Self { env }
    }
}

/// Aborts its request when it is dropped before the end of the response.
#[derive(Debug)]
struct AbortOnDrop(Option<AbortController>);

impl AbortOnDrop {
    fn new() -> Result<(Self, AbortSignal), HttpError> {
        let controller = AbortController::new().map_err(failure)?;
        let signal = controller.signal();
        Ok((Self(Some(controller)), signal))
    }

    /// The response is complete, so there is nothing to abort.
    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

/// A response's body; dropping it aborts the request.
#[derive(Debug)]
pub struct EdgeBody {
    rest: RemainingBody,
    abort: AbortOnDrop,
}

/// The part of a body that is not read yet.
#[derive(Debug)]
enum RemainingBody {
    Nothing,
    Whole(PromiseFuture),
    Pieces {
        reader: ReadableStreamDefaultReader,
        next: Option<PromiseFuture>,
    },
}

impl RemainingBody {
    fn from_response(response: &web_sys::Response, at_once: bool) -> Result<Self, JsValue> {
        if at_once {
            return Ok(Self::Whole(PromiseFuture::from(crossing::bytes(response)?)));
        }
        // A response without a body has no stream.
        Ok(response.body().map_or(Self::Nothing, |stream| {
            let reader = stream.get_reader().unchecked_into();
            Self::Pieces { reader, next: None }
        }))
    }

    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, JsValue>>> {
        let done = match self {
            Self::Nothing => return Poll::Ready(None),
            Self::Whole(reading) => {
                let read = ready!(Pin::new(reading).poll(context));
                *self = Self::Nothing;
                read
            }
            Self::Pieces { reader, next } => {
                let reading =
                    next.get_or_insert_with(|| PromiseFuture::from(crossing::next(reader)));
                let read = ready!(Pin::new(reading).poll(context));
                *next = None;
                read
            }
        };
        Poll::Ready(match done {
            Ok(end) if end.is_undefined() => None,
            Ok(bytes) => Some(Ok(bytes.unchecked_into::<Uint8Array>().to_vec())),
            Err(thrown) => Some(Err(thrown)),
        })
    }
}

impl Stream for EdgeBody {
    type Item = Result<Vec<u8>, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let read = ready!(self.rest.poll_bytes(context));
        if !matches!(read, Some(Ok(_))) || matches!(self.rest, RemainingBody::Nothing) {
            self.rest = RemainingBody::Nothing;
            self.abort.disarm();
        }
        Poll::Ready(read.map(|read| read.map_err(failure)))
    }
}

impl Http for EdgeHttp {
    type Body = EdgeBody;

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse<EdgeBody>, HttpError> {
        let (abort, signal) = AbortOnDrop::new()?;
        let pairs = request.headers.iter();
        let lines = crossing::lines(pairs.map(|(name, value)| (*name, value.as_str())));
        let body = (!request.body.is_empty()).then(|| Uint8Array::from(request.body.as_slice()));
        let sent = crossing::send(request.method.as_str(), &request.url, &lines, body, &signal);
        let response = PromiseFuture::from(sent.map_err(failure)?).await;
        convert(&response.map_err(failure)?.unchecked_into(), abort)
    }

    async fn run_ai(
        &self,
        model: &str,
        inputs: &[u8],
    ) -> Result<HttpResponse<EdgeBody>, HttpError> {
        let Some(ai) = Ai::from_env(&self.env) else {
            return Err(HttpError("the AI binding is absent".to_owned()));
        };
        let (abort, signal) = AbortOnDrop::new()?;
        let signal = WorkerSignal::from(signal);
        let response = ai.run(model, inputs, &signal).await?;
        convert(&response.into(), abort)
    }
}

fn convert(
    response: &web_sys::Response,
    abort: AbortOnDrop,
) -> Result<HttpResponse<EdgeBody>, HttpError> {
    let (status, headers, at_once) = head(response);
    let rest = RemainingBody::from_response(response, at_once).map_err(failure)?;
    let body = EdgeBody { rest, abort };
    Ok(HttpResponse {
        status,
        headers,
        body,
    })
}

/// Headers that this adapter reads beside [`HEADERS_READ`].
const OWN_HEADERS: [&str; 2] = ["content-length", "content-encoding"];

/// Status and headers of a response, and whether its body is read at once.
fn head(response: &web_sys::Response) -> (u16, clawless_llm::ports::Headers, bool) {
    let names = || HEADERS_READ.into_iter().chain(OWN_HEADERS);
    let summary = crossing::summary(response, &names().collect::<Vec<_>>().join("\n"));
    let mut lines = summary.split('\n');
    let status = lines.next().and_then(|status| status.parse().ok());
    let found: Vec<_> = names().zip(lines).collect();
    let value = |name: &str| {
        let mut found = found.iter();
        found
            .find(|(other, _)| *other == name)
            .map_or("", |(_, value)| value)
    };
    let length = value("content-length").parse().unwrap_or(u64::MAX);
    let is_stream = value("content-type").starts_with("text/event-stream");
    // A compressed body may have any length.
    let at_once = length <= MAX_WHOLE_BYTES && value("content-encoding").is_empty() && !is_stream;
    let headers = found
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (*name, (*value).to_owned()));
    (status.unwrap_or_default(), headers.collect(), at_once)
}

fn failure(thrown: impl Into<JsValue>) -> HttpError {
    HttpError(crossing::reason(&thrown.into()))
}
