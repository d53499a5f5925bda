//! `GET /openapi.json` and `GET /docs`: the description of this Worker's API, and its reference page.

use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse, reference};

use crate::platform::bindings::Bindings;

const DESCRIPTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));
const PAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/reference.html.gz"));
const POLICY: &str = include_str!("../../../../docs/api/reference.csp");

/// Shows the description.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub async fn description(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    Ok(reference::description(&call.head, DESCRIPTION))
}

/// Shows the reference page.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub async fn page(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    Ok(reference::page(&call.head, PAGE, POLICY))
}
