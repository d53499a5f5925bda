//! `GET /openapi.json` and `GET /docs`: the description of this Worker's API, and its reference page.

use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse, reference};

use crate::platform::bindings::Bindings;

const DESCRIPTION: &str = include_str!("../../../../docs/api/openapi.json");
const PAGE: &str = include_str!("../../../../docs/api/reference.html");
const POLICY: &str = include_str!("../../../../docs/api/reference.csp");

/// Shows the description.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub async fn description(_: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    Ok(reference::description(DESCRIPTION))
}

/// Shows the reference page.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub async fn page(_: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    Ok(reference::page(PAGE, POLICY))
}
