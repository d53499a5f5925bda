//! `POST /v1/responses`.

use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse};

use crate::chat::parse::RESPONSES;
use crate::http::completions::answer;
use crate::platform::bindings::Bindings;

/// Answers a request of the Responses surface, whole or as a stream of events.
///
/// # Errors
/// Those of [`crate::chat::pipeline::create`]; 404 for a response, conversation or item that the
/// request refers to and the tenant does not have.
pub async fn create(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    answer(call, RESPONSES).await
}
