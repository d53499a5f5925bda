//! What every Worker does around its answer: logging, the request's id, the error envelope.

use clawless_core::{ApiError, Clock, RequestId};
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use worker::{Env, Request, Response};

use crate::entropy::EdgeEntropy;
use crate::logging;
use crate::request::RequestHead;
use crate::response::HttpResponse;
use crate::time::EdgeTime;

/// Starts logging at the level of the variable `LOG_LEVEL`.
pub fn start_logging(env: &Env) {
    if logging::is_started() {
        return;
    }
    let level = env.var("LOG_LEVEL").map(|level| level.to_string());
    logging::init(level.as_deref().unwrap_or("info"));
}

#[wasm_bindgen]
extern "C" {
    /// A request as `workers/entry.js` sees it.
    type NamedRequest;

    /// A member of the object, which nobody outside can set as they could a header.
    #[wasm_bindgen(method, setter, structural, js_name = clawlessRequestId)]
    fn set_request_id(this: &NamedRequest, id: &str);
}

/// A fresh id for a request that came in now. The entry is told of it, so that it can answer under
/// the same id should the request die.
pub fn assign_request_id(request: &Request) -> RequestId {
    let id = RequestId::generate(EdgeTime.now(), &EdgeEntropy);
    let named: &NamedRequest = request.inner().unchecked_ref();
    named.set_request_id(id.as_str());
    id
}

/// Puts an answer or an error on the wire. What the client is not told is logged: our own failures
/// as errors, a client's mistakes as notes.
///
/// # Errors
/// Only where the runtime itself refuses to make a response.
pub fn finish(
    outcome: Result<HttpResponse, ApiError>,
    request_id: &RequestId,
) -> worker::Result<Response> {
    let answer = outcome.unwrap_or_else(refuse);
    answer
        .into_response(request_id)
        .or_else(|error| refuse(error).into_response(request_id))
        .map_err(|error| worker::Error::RustError(error.to_string()))
}

/// The answer to HEAD: the head of a response, and nothing of its body.
///
/// # Errors
/// Only where the runtime itself refuses to make a response.
pub fn without_body(response: &Response) -> worker::Result<Response> {
    let headers = response.headers().clone();
    Ok(Response::empty()?
        .with_status(response.status_code())
        .with_headers(headers))
}

/// Serves a request that is answered by its head alone.
///
/// # Errors
/// Only where the runtime itself refuses to make a response.
pub fn serve(
    request: &Request,
    env: &Env,
    answer: impl FnOnce(&RequestHead) -> Result<HttpResponse, ApiError>,
) -> worker::Result<Response> {
    start_logging(env);
    let request_id = assign_request_id(request);
    let _span = tracing::info_span!("request", request_id = request_id.as_str()).entered();
    finish(answer(&RequestHead::of(request)), &request_id)
}

/// An error's answer, and its line in the log.
pub fn refuse(error: ApiError) -> HttpResponse {
    let (code, internal) = (error.code.as_str(), error.internal.as_deref());
    if error.status() >= 500 {
        tracing::error!(code, internal, "failed");
    } else {
        tracing::info!(code, param = error.param, internal, "refused");
    }
    error.into()
}
