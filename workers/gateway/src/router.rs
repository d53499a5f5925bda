//! The table of contents: every route, and what answers it.

use std::borrow::Cow;
use std::rc::Rc;

use clawless_core::{ApiError, Clock, ErrorCode, RequestId};
use clawless_edge::answer::{Answer, Body};
use clawless_edge::incoming::{Head, read_body};
use clawless_edge::time::EdgeTime;
use clawless_edge::worker_entry;
use percent_encoding::percent_decode_str;
use tracing::Instrument;
use worker::{Context, Env, Request, Response};

use crate::authenticate::authenticate;
use crate::bindings::Bindings;
use crate::platform::Platform;
use crate::{bindings, chat, cors, forward, health, models};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Endpoint<'a> {
    ChatCompletions,
    Models,
    Model(Cow<'a, str>),
    Health,
    Admin,
    Widget,
    #[cfg(feature = "test-faults")]
    Panic,
}

/// The endpoint of a path and the one method that it takes (`*`: the endpoint looks for itself).
/// Paths are compared as they were sent: an alias by `//`, case or escapes is another path, and
/// names nothing.
fn endpoint(path: &str) -> Option<(&'static str, Endpoint<'_>)> {
    Some(match path {
        "/v1/chat/completions" => ("POST", Endpoint::ChatCompletions),
        "/v1/models" => ("GET", Endpoint::Models),
        "/health" => ("GET", Endpoint::Health),
        #[cfg(feature = "test-faults")]
        "/__test/panic" => ("GET", Endpoint::Panic),
        _ if path.starts_with("/admin/") => ("*", Endpoint::Admin),
        _ if path.starts_with("/widget/") => ("*", Endpoint::Widget),
        _ => {
            let id = path
                .strip_prefix("/v1/models/")
                .filter(|id| !id.is_empty())?;
            (
                "GET",
                Endpoint::Model(percent_decode_str(id).decode_utf8().ok()?),
            )
        }
    })
}

/// Finds the endpoint of a request.
///
/// # Errors
/// 404 where the path names nothing, 405 with `allow` where the method is not the endpoint's.
fn resolve<'a>(method: &str, path: &'a str) -> Result<Endpoint<'a>, ApiError> {
    let Some((allowed, endpoint)) = endpoint(path) else {
        return Err(ApiError::new(
            ErrorCode::RouteNotFound,
            format!("Unknown route: {method} {}.", shown(path)),
        ));
    };
    let is_head = method == "HEAD" && allowed == "GET";
    if allowed == "*" || allowed == method || is_head {
        return Ok(endpoint);
    }
    let allow = allow(allowed);
    Err(ApiError::new(
        ErrorCode::MethodNotAllowed,
        format!("{path} does not take {method}. Use one of: {allow}."),
    )
    .header("allow", allow))
}

/// The `allow` header of an endpoint that takes this method.
fn allow(method: &str) -> &'static str {
    match method {
        "GET" => "GET, HEAD, OPTIONS",
        "POST" => "POST, OPTIONS",
        _ => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    }
}

/// A path as it may be logged and said back. One that holds a key, by somebody's mistake, may not.
fn shown(path: &str) -> &str {
    if path.contains("cl_") {
        "(hidden: it looks like a key)"
    } else {
        path
    }
}

/// Serves one request: every answer, errors included, carries the request's id and, on `/v1/*`,
/// the CORS headers.
///
/// # Errors
/// Only where the runtime itself refuses to make a response.
pub async fn serve(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    worker_entry::start_logging(&env);
    let request_id = worker_entry::request_id();
    let span = tracing::info_span!("request", request_id = request_id.as_str());
    async {
        let head = Head::of(&request);
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
    head: &Head,
    bindings: &Rc<Bindings>,
    request_id: &RequestId,
) -> Result<Answer, ApiError> {
    if head.method == "OPTIONS" && cors::applies(&head.path) {
        return Ok(cors::preflight(
            head,
            bindings.config().cors_origins.as_deref(),
        ));
    }
    if head.method == "OPTIONS"
        && let Some((allowed, _)) = endpoint(&head.path)
    {
        let answer = Answer {
            status: 204,
            headers: Vec::new(),
            body: Body::Empty,
        };
        return Ok(answer.with_header("allow", allow(allowed)));
    }
    let config = bindings.config();
    match resolve(&head.method, &head.path)? {
        Endpoint::ChatCompletions => {
            let body = read_body(&mut request, config.body_limit);
            chat::create(bindings, request_id, head, body).await
        }
        Endpoint::Models => {
            models::list(&**bindings, &authenticate(&**bindings, head).await?).await
        }
        Endpoint::Model(id) => {
            models::retrieve(&**bindings, &authenticate(&**bindings, head).await?, &id).await
        }
        Endpoint::Health => health::report(bindings).await,
        Endpoint::Admin => forward::to(bindings, bindings::ADMIN, request).await,
        Endpoint::Widget => forward::to(bindings, bindings::WIDGET, request).await,
        #[cfg(feature = "test-faults")]
        #[allow(clippy::panic, reason = "the test of what a panic leaves behind")]
        Endpoint::Panic => panic!("a panic on purpose"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_aliases() {
        assert_eq!(
            resolve("POST", "/v1/chat/completions"),
            Ok(Endpoint::ChatCompletions)
        );
        for alias in [
            "//v1/chat/completions",
            "/V1/chat/completions",
            "/v1/chat/completions/",
            "/v1/%63hat/completions",
            "/v1//models",
            "/v1/models/",
            "/admin",
        ] {
            assert_eq!(
                resolve("POST", alias).expect_err(alias).status(),
                404,
                "{alias}"
            );
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        for method in ["GET", "TRACE", "DELETE", "FOO"] {
            let error = resolve(method, "/v1/chat/completions").expect_err(method);
            assert_eq!(
                (error.status(), error.headers),
                (405, vec![("allow", "POST, OPTIONS".to_owned())])
            );
        }
        assert_eq!(resolve("HEAD", "/health"), Ok(Endpoint::Health));
    }

    #[test]
    fn a_model_may_have_slashes_in_its_name() {
        for path in ["/v1/models/@cf/meta/llama", "/v1/models/@cf%2Fmeta%2Fllama"] {
            assert_eq!(
                resolve("GET", path),
                Ok(Endpoint::Model("@cf/meta/llama".into()))
            );
        }
    }
}
