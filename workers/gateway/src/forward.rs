//! Routes that another Worker answers, over a service binding.

use std::rc::Rc;

use clawless_core::time::Millis;
use clawless_core::{ApiError, ErrorCode};
use clawless_edge::response::{Body, HttpResponse};
use worker::Request;

use crate::bindings::Bindings;

/// Passes a request on to the Worker behind `binding`, which authenticates for itself.
///
/// # Errors
/// 503 where the binding is absent or does not answer; nothing else of the gateway depends on it.
pub async fn to(
    bindings: &Rc<Bindings>,
    binding: &'static str,
    request: Request,
) -> Result<HttpResponse, ApiError> {
    let unavailable = |error| {
        ApiError::new(
            ErrorCode::ServiceUnavailable,
            "This part of the service is not available.",
        )
        .retry_after(Millis::from_secs(5))
        .because(format!("service binding {binding}: {error}"))
    };
    let service = bindings.env().service(binding).map_err(unavailable)?;
    let response = service.fetch_request(request).await.map_err(unavailable)?;
    Ok(HttpResponse {
        status: response.status_code(),
        headers: Vec::new(),
        body: Body::Foreign(response),
    })
}
