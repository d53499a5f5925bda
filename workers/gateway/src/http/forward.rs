//! Routes of other Workers, over a service binding.

use clawless_core::time::Millis;
use clawless_core::{ApiError, ErrorCode};
use clawless_edge::http::forwarded::{MODELS_HEADER, REQUEST_ID_HEADER, write_names};
use clawless_edge::http::{Body, Call, HttpResponse};

use crate::platform::Platform;
use crate::platform::binding_names::{ADMIN, WIDGET};
use crate::platform::bindings::Bindings;
use crate::routing::offered_names;

/// How long a client waits for a Worker that does not respond.
const RETRY_AFTER_UNAVAILABLE: Millis = Millis::from_secs(5);

/// `/admin/*`: the admin Worker authenticates for itself.
///
/// # Errors
/// As [`forward`].
pub async fn admin(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    forward(call, ADMIN).await
}

/// What the widget server has: `/widget/*`, `/demo`, and the API's description and reference page.
///
/// # Errors
/// As [`forward`].
pub async fn widget(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    forward(call, WIDGET).await
}

/// Forwards a request to the Worker of a binding.
///
/// # Errors
/// 503 if the binding is absent or does not respond; nothing else of the gateway depends on it.
async fn forward(
    call: &Call<Bindings, ()>,
    binding: &'static str,
) -> Result<HttpResponse, ApiError> {
    let unavailable = |error| {
        ApiError::new(
            ErrorCode::ServiceUnavailable,
            "This part of the service is not available.",
        )
        .retry_after(RETRY_AFTER_UNAVAILABLE)
        .with_internal(format!("service binding {binding}: {error}"))
    };
    let request = call.body.into_request();
    let request = request.ok_or_else(|| ApiError::internal("the request was taken already"))?;
    let service = call.platform.env().service(binding).map_err(unavailable)?;
    // A mutable copy: the headers of a received request cannot be changed.
    let mut request = request.clone_mut().map_err(unavailable)?;
    let headers = request.headers_mut().map_err(unavailable)?;
    let id = call.request_id.as_str();
    headers.set(REQUEST_ID_HEADER, id).map_err(unavailable)?;
    let models = write_names(offered_names(call.platform.config()));
    headers.set(MODELS_HEADER, &models).map_err(unavailable)?;
    let response = service.fetch_request(request).await.map_err(unavailable)?;
    let status = response.status_code();
    Ok(HttpResponse::new(status, Body::Foreign(response)))
}
