//! Outgoing HTTP over the runtime's `fetch`, and calls of the platform's own models.

use std::pin::Pin;
use std::task::{Context, Poll};

use clawless_llm::ports::{HEADERS_READ, Http, HttpError, HttpRequest, HttpResponse};
use futures_util::Stream;
use js_sys::Uint8Array;
use worker::{
    AbortController, ByteStream, Env, Fetch, Headers, Method, Request, RequestInit,
    RequestRedirect, Response,
};

use crate::ai::Ai;

/// The runtime's `fetch`, and the AI binding for the platform's own models.
#[derive(Debug, Clone, Default)]
pub struct EdgeHttp {
    ai: Option<Ai>,
}

impl EdgeHttp {
    /// For a Worker of this environment.
    pub fn new(env: &Env) -> Self {
        Self { ai: Ai::of(env) }
    }
}

/// Aborts its request when it is dropped, unless the answer has come to its end.
#[derive(Debug, Default)]
struct AbortOnDrop(Option<AbortController>);

impl AbortOnDrop {
    /// The answer is whole; there is nothing left to abort.
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

/// An answer's body; dropping it aborts the request.
#[derive(Debug)]
pub struct EdgeBody {
    bytes: Option<Pin<Box<ByteStream>>>,
    abort: AbortOnDrop,
}

impl Stream for EdgeBody {
    type Item = Result<Vec<u8>, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(bytes) = self.bytes.as_mut() else {
            return Poll::Ready(None);
        };
        let polled = bytes.as_mut().poll_next(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.abort.disarm();
        }
        polled.map(|item| item.map(|piece| piece.map_err(failure)))
    }
}

impl Http for EdgeHttp {
    type Body = EdgeBody;

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse<EdgeBody>, HttpError> {
        let controller = AbortController::default();
        let signal = controller.signal();
        let abort = AbortOnDrop(Some(controller));
        let request = outgoing(&request).map_err(failure)?;
        let response = Fetch::Request(request)
            .send_with_signal(&signal)
            .await
            .map_err(failure)?;
        Ok(answer(response, abort))
    }

    async fn run_ai(
        &self,
        model: &str,
        inputs: &[u8],
    ) -> Result<HttpResponse<EdgeBody>, HttpError> {
        let Some(ai) = &self.ai else {
            return Err(HttpError("there is no AI binding".to_owned()));
        };
        let controller = AbortController::default();
        let signal = controller.signal();
        let abort = AbortOnDrop(Some(controller));
        let response = ai.run(model, inputs, &signal).await?;
        Ok(answer(response, abort))
    }
}

fn answer(mut response: Response, abort: AbortOnDrop) -> HttpResponse<EdgeBody> {
    let headers = HEADERS_READ.iter().filter_map(|name| {
        let value = response.headers().get(name).ok().flatten()?;
        Some((*name, value))
    });
    HttpResponse {
        status: response.status_code(),
        headers: headers.collect(),
        // An answer without a body has no stream.
        body: EdgeBody {
            bytes: response.stream().ok().map(Box::pin),
            abort,
        },
    }
}

fn outgoing(request: &HttpRequest) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    let body = (!request.body.is_empty()).then(|| Uint8Array::from(request.body.as_slice()).into());
    let mut init = RequestInit::new();
    init.with_method(Method::from(request.method.as_str().to_owned()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(body);
    Request::new_with_init(&request.url, &init)
}

fn failure(error: impl std::fmt::Display) -> HttpError {
    HttpError(error.to_string())
}
