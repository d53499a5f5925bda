//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use clawless_api::messages::{TokenCount, parse_count};
use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse};

use super::completions::answer;
use super::count::count_input;
use crate::caller::Caller;
use crate::chat::parse::{MESSAGES, anthropic_headers};
use crate::platform::Platform;
use crate::platform::bindings::Bindings;

/// Answers a request for a message.
///
/// # Errors
/// Those of [`crate::chat::pipeline::create`].
pub async fn create(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    answer(call, MESSAGES).await
}

/// Estimates the input tokens of a request for the model that would answer it: its messages, tools and
/// parameters, with the tenant's system prompt and server tools. No provider is called.
///
/// # Errors
/// 400 for an invalid request, 404 for an unknown model, 413 and 415 for the body.
pub async fn count_tokens<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let body = call.body.read(call.platform.config().body_limit).await?;
    let request = parse_count(&anthropic_headers(&call.head), &body)?;
    HttpResponse::of(&TokenCount::new(count_input(call, request)?))
}
