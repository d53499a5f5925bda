//! `POST /v1/chat/completions`.

use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse};

use crate::bindings::Bindings;
use crate::chat;
use crate::platform::Platform;

/// Hands the request to the chat pipeline, which authenticates for itself: it counts malformed
/// requests too.
///
/// # Errors
/// Those of [`chat::create`].
pub async fn create(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    let departure = call.body.departure();
    let body = call.body.read(call.platform.config().body_limit);
    chat::create(
        &call.platform,
        &call.request_id,
        &call.head,
        body,
        departure,
    )
    .await
}
