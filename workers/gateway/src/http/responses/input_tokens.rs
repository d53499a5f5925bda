//! `POST /v1/responses/input_tokens`.

use clawless_api::responses::{input_token_count, parse_count};
use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse};

use crate::caller::Caller;
use crate::http::count::count_input;
use crate::platform::Platform;

/// Estimates the input tokens of a request for the model that would answer it. No provider is called.
///
/// # Errors
/// 400 for an invalid request, 404 for an unknown model, 413 and 415 for the body.
pub async fn count<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let body = call.body.read(call.platform.config().body_limit).await?;
    let tokens = count_input(call, parse_count(&body)?)?;
    Ok(HttpResponse::json(input_token_count(tokens.get())))
}
