//! The widget server: the files of the chat widget, with the headers that let any site embed them.
//!
//! The gateway passes `/widget/*` on over a service binding.

use clawless_core::{ApiError, ErrorCode};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use clawless_edge::worker_entry;
use worker::{Context, Env, Request, Response, event};

/// Every request comes in here, from the gateway.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    worker_entry::serve(&request, &env, answer)
}

/// The table of contents.
fn answer(head: &RequestHead) -> Result<HttpResponse, ApiError> {
    match (head.method.as_str(), head.path.as_str()) {
        ("GET", "/health") => Ok(HttpResponse::json(r#"{"status":"ok"}"#.to_owned())),
        (method, path) => Err(ApiError::new(
            ErrorCode::RouteNotFound,
            format!("Unknown route: {method} {path}."),
        )),
    }
}
