//! The admin Worker: how operators manage tenants, keys and usage.
//!
//! It has no public route of its own. The gateway passes `/admin/*` on over a service binding, and
//! this Worker authenticates for itself.

use clawless_core::{ApiError, ErrorCode};
use clawless_edge::answer::Answer;
use clawless_edge::incoming::Head;
use clawless_edge::worker_entry;
use worker::{Context, Env, Request, Response, event};

/// Every request comes in here, from the gateway.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    worker_entry::serve(&request, &env, answer)
}

/// The table of contents.
fn answer(head: &Head) -> Result<Answer, ApiError> {
    match (head.method.as_str(), head.path.as_str()) {
        ("GET", "/health") => Ok(Answer::json(r#"{"status":"ok"}"#.to_owned())),
        // Whoever asks without a token is not told which routes there are.
        (_, path) if path.starts_with("/admin/") => Err(ApiError::new(
            ErrorCode::MissingApiKey,
            "Send an admin token in the header `authorization: Bearer`.",
        )),
        (method, path) => Err(ApiError::new(
            ErrorCode::RouteNotFound,
            format!("Unknown route: {method} {path}."),
        )),
    }
}
