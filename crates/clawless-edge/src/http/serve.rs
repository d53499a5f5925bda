//! The steps around every handler: request id, routing, authorization, error envelope, log line.
//! A panic ends in `workers/entry/`.

use std::borrow::Cow;
use std::rc::Rc;

use clawless_core::{ApiError, Clock, RequestId};
use futures_util::stream;
use futures_util::{FutureExt, StreamExt};
use tracing::Instrument;
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use worker::web_sys::{Request, Response};
use worker::{Context, Env};

use super::body::RequestBody;
use super::call::{Call, Params};
use super::delivery::deliver;
use super::forwarded::REQUEST_ID_HEADER;
use super::load::{Load, Permit};
use super::request::{RequestHead, redacted};
use super::response::{Body, CSV, HttpResponse, JSON};
use super::routes::{Endpoint, ResponseFuture, Routes};
use super::service::{Authorized, Service};
use crate::entropy::EdgeEntropy;
use crate::logging;
use crate::tasks::Tasks;
use crate::time::EdgeTime;

/// The longest answer that is sent at once, in bytes.
const MAX_SMALL_BYTES: usize = 64 * 1024;

/// Serves one request of a Worker.
///
/// 1. Assign the request id. 2. Open the platform: 500. 3. OPTIONS: 204. 4. Find the route: 404, 405.
/// 5. Authorize by the route's line: 401, 403, 404, 429, 503. 6. Admit a read: 429, 503. 7. Check the query:
///    400. 8. Run the handler, which reads the body: 408, 413, 503. 9. Add the common headers, log, send.
///
/// # Errors
/// Only if the runtime fails to create a response.
pub async fn serve<S: Service>(
    routes: &'static Routes<S>,
    request: Request,
    env: Env,
    context: Context,
) -> worker::Result<Response> {
    logging::start(&env);
    let head = Rc::new(RequestHead::from_request(&request));
    let request_id = assign_request_id(&request, &head, S::IS_INTERNAL);
    let span = logging::work_span(Some(&request_id), None);
    async {
        let started = EdgeTime.now();
        let tasks = Tasks::new(context);
        let platform = S::open(env, tasks.clone(), &request_id);
        let outcome = match &platform {
            Ok(platform) => {
                let (platform, head, id) = (platform.clone(), head.clone(), request_id.clone());
                let own_tasks = tasks.clone();
                let work = async move {
                    respond(routes, &platform, request, &head, &id, &own_tasks).await
                };
                // The runtime would cancel the request in the middle if the client leaves, and what it
                // holds ([`Permit`]) would not be released.
                let outcome = tasks.run(work.boxed_local()).await;
                outcome.unwrap_or_else(|| Err(ApiError::internal("the request has no response")))
            }
            Err(error) => Err(error.clone()),
        };
        let response = outcome.unwrap_or_else(|error| refuse::<S>(error, &head, &request_id));
        let response = S::decorate(platform.as_deref().ok(), &head, &request_id, response);
        tracing::info!(
            method = head.method,
            path = redacted(&head.path),
            status = response.status,
            model = response.header("x-clawless-model"),
            route = response.header("x-clawless-route"),
            tries = response.header("x-clawless-tries"),
            millis = EdgeTime.now().since(started).get(),
            "request served"
        );
        send::<S>(response, &head, &request_id, &tasks)
    }
    .instrument(span)
    .await
}

async fn respond<S: Service>(
    routes: &'static Routes<S>,
    platform: &Rc<S::Platform>,
    request: Request,
    head: &Rc<RequestHead>,
    request_id: &RequestId,
    tasks: &Rc<Tasks>,
) -> Result<HttpResponse, ApiError> {
    let is_options = head.method == "OPTIONS";
    if is_options && let Some(response) = S::preflight(platform, head) {
        return Ok(response);
    }
    if is_options && let Some(allow) = routes.allowed(&head.path) {
        authorize_unmatched(routes, platform, head).await?;
        return Ok(HttpResponse::new(204, Body::Empty).with_header("allow", allow));
    }
    let found = match routes.find(&head.method, &head.path) {
        Ok(found) => found,
        Err(error) => {
            authorize_unmatched(routes, platform, head).await?;
            return Err(error);
        }
    };
    let announced = head.header("content-length");
    let announced = announced.and_then(|length| length.parse().ok());
    let (head, body) = (head.clone(), RequestBody::from_request(request, announced));
    let (platform, request_id) = (platform.clone(), request_id.clone());
    let query = found.route.query;
    match found.route.endpoint {
        Endpoint::Public(handler)
        | Endpoint::Authenticating(_, handler)
        | Endpoint::Forwarded(handler) => {
            let departure = body.departure();
            let call = Call {
                platform,
                caller: (),
                head,
                params: found.params,
                query,
                body,
                request_id,
                reader: None,
                permit: Rc::default(),
            };
            if matches!(found.route.endpoint, Endpoint::Public(_)) {
                call.check_query()?;
            }
            let response = handler(&call).await?;
            Ok(deliver_large(response, &call, departure, tasks))
        }
        Endpoint::Restricted(access, handler) => {
            let is_read = matches!(head.method.as_str(), "GET" | "HEAD");
            let authorized = S::authorize(&platform, access, &head, &found.params).await;
            if is_read
                && authorized
                    .as_ref()
                    .is_err_and(|error| error.status() == 429)
            {
                Load::of_isolate().delay_refusal(&EdgeTime).await;
            }
            let Authorized { caller, headers } = authorized?;
            body.count_for(S::tenant(&caller).unwrap_or_default());
            let reader = S::reader(access, &caller).filter(|_| is_read);
            let permit = match &reader {
                Some(reader) if !S::waits(access) => {
                    let permit = Load::of_isolate().read(reader, &EdgeTime).await;
                    permit.map_err(|error| error.headers(headers.clone()))?
                }
                _ => Permit::uncounted(),
            };
            let departure = body.departure();
            let call = Call {
                platform,
                caller,
                head,
                params: found.params,
                query,
                body,
                request_id,
                reader,
                permit: Rc::new(permit),
            };
            match handle::<S>(access, handler, &call).await {
                Ok(response) => {
                    let response = response.with_headers(headers);
                    Ok(deliver_large(response, &call, departure, tasks))
                }
                Err(error) => Err(error.headers(headers)),
            }
        }
    }
}

/// A handler of a restricted route.
type Handler<S> =
    for<'a> fn(&'a Call<<S as Service>::Platform, <S as Service>::Caller>) -> ResponseFuture<'a>;

/// Checks the request and runs its handler.
async fn handle<S: Service>(
    access: S::Access,
    handler: Handler<S>,
    call: &Call<S::Platform, S::Caller>,
) -> Result<HttpResponse, ApiError> {
    S::check(access, call).await?;
    call.check_query()?;
    handler(call).await
}

/// Lets a large answer, or a file that was read, wait for its reader, together with its permit. A small one
/// fits the buffers of the connection.
fn deliver_large<P, C>(
    mut response: HttpResponse,
    call: &Call<P, C>,
    departure: impl Future<Output = ()> + 'static,
    tasks: &Rc<Tasks>,
) -> HttpResponse {
    let permit = response.permit.take();
    let permit = permit.unwrap_or_else(|| call.permit.clone());
    let bytes = response.text_bytes();
    let is_large = bytes.is_some_and(|bytes| bytes > MAX_SMALL_BYTES);
    // What is delivered in pages is paid for as it is delivered.
    if let Some(bytes) = bytes.filter(|_| !is_large) {
        permit.pay(bytes, EdgeTime.now());
    }
    if call.head.method == "HEAD" {
        return response;
    }
    let whole = |bytes: Vec<u8>| stream::iter([Ok(bytes)]).boxed_local();
    let (content_type, pages) = match response.body {
        Body::Json(text) if is_large => (JSON, whole(text.into_bytes())),
        Body::Csv(text) if is_large => (CSV, whole(text.into_bytes())),
        Body::Bytes(content_type, Cow::Owned(bytes)) => (content_type, whole(bytes)),
        Body::Pages(content_type, pages) => (content_type, pages),
        other => {
            response.body = other;
            return response;
        }
    };
    let (body, task) = deliver(pages, permit, EdgeTime, departure);
    tasks.spawn(task.boxed_local());
    response.body = Body::Pages(content_type, body);
    response
}

/// Authorizes a caller who asks which routes exist.
async fn authorize_unmatched<S: Service>(
    routes: &'static Routes<S>,
    platform: &S::Platform,
    head: &RequestHead,
) -> Result<(), ApiError> {
    if let Some(access) = routes.unmatched {
        S::authorize(platform, access, head, &Params::default()).await?;
    }
    Ok(())
}

#[wasm_bindgen]
extern "C" {
    /// A request as `workers/entry/` sees it.
    type EntryRequest;

    /// A property of the object. Clients cannot set it, as they could set a header.
    #[wasm_bindgen(method, setter, structural, js_name = clawlessRequestId)]
    fn set_request_id(this: &EntryRequest, id: &str);
}

/// The id of a request: that of the gateway for an internal Worker, otherwise a new one. The entry gets
/// it too, so that it can respond under the same id after a panic.
fn assign_request_id(request: &Request, head: &RequestHead, is_internal: bool) -> RequestId {
    let forwarded = head.header(REQUEST_ID_HEADER).filter(|_| is_internal);
    let forwarded = forwarded.and_then(|id| id.parse().ok());
    let id = forwarded.unwrap_or_else(|| RequestId::generate(EdgeTime.now(), &EdgeEntropy));
    let entry: &EntryRequest = request.unchecked_ref();
    entry.set_request_id(id.as_str());
    id
}

/// The response to an error, and its line in the log: our own failures as errors, a client's mistakes
/// as information.
fn refuse<S: Service>(error: ApiError, head: &RequestHead, request_id: &RequestId) -> HttpResponse {
    let (code, internal) = (error.code.as_str(), error.internal.as_deref());
    if error.status() >= 500 {
        tracing::error!(code, internal, "request failed");
    } else {
        // The path of an unknown member has the names of the body's members.
        let param = error.param.as_deref().map(redacted);
        tracing::info!(code, param, internal, "request refused");
    }
    let body = S::error_body(&head.path, &error, request_id);
    HttpResponse::of_error(error, body)
}

/// Converts a response to the runtime's; to HEAD without its body.
fn send<S: Service>(
    response: HttpResponse,
    head: &RequestHead,
    request_id: &RequestId,
    tasks: &Rc<Tasks>,
) -> worker::Result<Response> {
    let convert =
        |response: HttpResponse| response.into_response(request_id, tasks, head.method == "HEAD");
    convert(response)
        .or_else(|error| convert(refuse::<S>(error, head, request_id)))
        .map_err(|error| worker::Error::RustError(error.to_string()))
}
