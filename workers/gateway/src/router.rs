//! The table of contents: every route, and what answers it.

use std::rc::Rc;

use clawless_core::{ApiError, Clock, RequestId};
use clawless_edge::request::{RequestHead, departure, read_body};
use clawless_edge::response::{Body, HttpResponse};
use clawless_edge::routes::{ANY, Routes, shown};
use clawless_edge::time::EdgeTime;
use clawless_edge::worker_entry;
use futures_util::future::LocalBoxFuture;
use tracing::Instrument;
use worker::{Context, Env, Request, Response};

use crate::authenticate::authenticate;
use crate::bindings::Bindings;
use crate::platform::Platform;
use crate::{bindings, chat, cors, forward, health, models, resume, sessions};

/// Every route there is.
const ROUTES: Routes<Route> = Routes(&[
    ("/v1/chat/completions", &[("POST", Route::Complete)]),
    ("/v1/models", &[("GET", Route::ListModels)]),
    ("/v1/models/{id…}", &[("GET", Route::ShowModel)]),
    (
        "/v1/sessions",
        &[("GET", Route::ListSessions), ("POST", Route::CreateSession)],
    ),
    (
        "/v1/sessions/{id}",
        &[
            ("GET", Route::ShowSession),
            ("PATCH", Route::UpdateSession),
            ("DELETE", Route::DeleteSession),
        ],
    ),
    ("/v1/sessions/{id}/reset", &[("POST", Route::ResetSession)]),
    ("/v1/sessions/{id}/export", &[("GET", Route::ExportSession)]),
    (
        "/v1/sessions/{id}/messages",
        &[("GET", Route::ListMessages)],
    ),
    (
        "/v1/sessions/{id}/messages/{message_id}",
        &[("DELETE", Route::RemoveMessage)],
    ),
    (
        "/v1/sessions/{id}/tool_executions",
        &[("GET", Route::ListToolExecutions)],
    ),
    (
        "/v1/sessions/{id}/turns/{request_id}",
        &[("GET", Route::ResumeTurn)],
    ),
    ("/health", &[("GET", Route::Health)]),
    ("/admin/{…}", &[(ANY, Route::Admin)]),
    ("/widget/{…}", &[(ANY, Route::Widget)]),
    #[cfg(feature = "test-faults")]
    ("/__test/panic", &[("GET", Route::Panic)]),
    #[cfg(feature = "test-faults")]
    ("/__test/faults", &[("POST", Route::Faults)]),
]);

/// What answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Complete,
    ListModels,
    ShowModel,
    ListSessions,
    CreateSession,
    ShowSession,
    UpdateSession,
    DeleteSession,
    ResetSession,
    ExportSession,
    ListMessages,
    RemoveMessage,
    ListToolExecutions,
    ResumeTurn,
    Health,
    Admin,
    Widget,
    #[cfg(feature = "test-faults")]
    Panic,
    #[cfg(feature = "test-faults")]
    Faults,
}

/// Serves one request: every answer, errors included, carries the request's id and, on `/v1/*`,
/// the CORS headers.
///
/// # Errors
/// Only where the runtime itself refuses to make a response.
pub async fn serve(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    worker_entry::start_logging(&env);
    let request_id = worker_entry::assign_request_id(&request);
    let span = tracing::info_span!("request", request_id = request_id.as_str());
    async {
        let head = RequestHead::of(&request);
        let started = EdgeTime.now();
        let (outcome, origins) = match Bindings::open(env, context).map(Rc::new) {
            Ok(bindings) => {
                let origins = bindings.config().cors_origins.clone();
                (
                    answer(request, &head, &bindings, &request_id).await,
                    origins,
                )
            }
            Err(invalid) => (Err(ApiError::internal(invalid)), None),
        };
        let answer = outcome.unwrap_or_else(worker_entry::refuse);
        let answer = cors::expose(answer, &head, origins.as_deref());
        tracing::info!(
            method = head.method,
            path = shown(&head.path),
            status = answer.status,
            model = answer.header("x-clawless-model"),
            route = answer.header("x-clawless-route"),
            tries = answer.header("x-clawless-tries"),
            millis = EdgeTime.now().since(started).get(),
            "answered"
        );
        let response = worker_entry::finish(Ok(answer), &request_id)?;
        if head.method == "HEAD" {
            worker_entry::without_body(&response)
        } else {
            Ok(response)
        }
    }
    .instrument(span)
    .await
}

/// The answer to a request.
async fn answer(
    mut request: Request,
    head: &RequestHead,
    bindings: &Rc<Bindings>,
    request_id: &RequestId,
) -> Result<HttpResponse, ApiError> {
    if head.method == "OPTIONS" && cors::applies(&head.path) {
        return Ok(cors::preflight(
            head,
            bindings.config().cors_origins.as_deref(),
        ));
    }
    if head.method == "OPTIONS"
        && let Some(allow) = ROUTES.allowed(&head.path)
    {
        let answer = HttpResponse {
            status: 204,
            headers: Vec::new(),
            body: Body::Empty,
        };
        return Ok(answer.with_header("allow", allow));
    }
    let config = bindings.config();
    let found = ROUTES.find(&head.method, &head.path)?;
    // Each in a box: in one piece they would be one function, which the runtime would have to compile
    // whole, half of all that it compiles, before the first answer.
    let answering: LocalBoxFuture<'_, _> = match found.route {
        Route::Complete => Box::pin(async {
            let departure = departure(&request);
            let body = read_body(&mut request, config.body_limit);
            chat::create(bindings, request_id, head, body, departure).await
        }),
        Route::ListModels => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            models::list(&**bindings, &caller).await
        }),
        Route::ShowModel => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            models::retrieve(&**bindings, &caller, found.param(0)).await
        }),
        Route::ListSessions => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            sessions::list(&**bindings, &caller, head).await
        }),
        Route::CreateSession => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            let body = read_body(&mut request, sessions::BODY_LIMIT);
            sessions::create(&**bindings, &caller, head, body).await
        }),
        Route::ShowSession => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            sessions::show(&**bindings, &caller, found.param(0)).await
        }),
        Route::UpdateSession => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            let body = read_body(&mut request, sessions::BODY_LIMIT);
            sessions::update(&**bindings, &caller, found.param(0), head, body).await
        }),
        Route::DeleteSession => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            sessions::delete(&**bindings, &caller, found.param(0)).await
        }),
        Route::ResetSession => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            sessions::reset(&**bindings, &caller, found.param(0)).await
        }),
        Route::ExportSession => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            sessions::export(bindings, &caller, found.param(0)).await
        }),
        Route::ListMessages => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            sessions::list_messages(&**bindings, &caller, found.param(0), head).await
        }),
        Route::RemoveMessage => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            let (session, message) = (found.param(0), found.param(1));
            sessions::remove_message(&**bindings, &caller, session, message).await
        }),
        Route::ListToolExecutions => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            sessions::list_tool_executions(&**bindings, &caller, found.param(0), head).await
        }),
        Route::ResumeTurn => Box::pin(async {
            let caller = authenticate(&**bindings, head).await?;
            let (session, request) = (found.param(0), found.param(1));
            resume::resume(bindings, &caller, head, session, request).await
        }),
        Route::Health => Box::pin(health::report(bindings)),
        Route::Admin => Box::pin(forward::to(bindings, bindings::ADMIN, request)),
        Route::Widget => Box::pin(forward::to(bindings, bindings::WIDGET, request)),
        #[cfg(feature = "test-faults")]
        #[allow(clippy::panic, reason = "the test of what a panic leaves behind")]
        Route::Panic => panic!("a panic on purpose"),
        #[cfg(feature = "test-faults")]
        Route::Faults => Box::pin(async {
            let body = read_body(&mut request, config.body_limit).await?;
            crate::faults::plan(&body)
        }),
    };
    answering.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_aliases() {
        for alias in [
            "//v1/chat/completions",
            "/V1/chat/completions",
            "/v1/chat/completions/",
            "/v1/%63hat/completions",
            "/v1//models",
            "/v1/models/",
            "/admin",
        ] {
            let error = ROUTES.find("POST", alias).expect_err(alias);
            assert_eq!(error.status(), 404, "{alias}");
        }
    }

    #[test]
    fn a_model_may_have_slashes_in_its_name() {
        for path in ["/v1/models/@cf/meta/llama", "/v1/models/@cf%2Fmeta%2Fllama"] {
            let found = ROUTES.find("GET", path).expect(path);
            assert_eq!(
                (found.route, found.param(0)),
                (Route::ShowModel, "@cf/meta/llama")
            );
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        for method in ["GET", "TRACE", "DELETE", "FOO"] {
            let error = ROUTES
                .find(method, "/v1/chat/completions")
                .expect_err(method);
            assert_eq!(
                (error.status(), error.headers),
                (405, vec![("allow", "POST, OPTIONS".to_owned())])
            );
        }
    }
}
