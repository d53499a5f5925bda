//! `GET /admin/openapi.json` and `GET /admin/docs`: the description of this API, and its reference page.

use clawless_core::ApiError;
use clawless_edge::http::{HttpResponse, reference};

use crate::context::AdminCall;

const DESCRIPTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));
const PAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/reference.html.gz"));
const POLICY: &str = include_str!("../../../docs/api/admin-reference.csp");

/// Shows the description.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn description(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    Ok(reference::description(&call.head, DESCRIPTION))
}

/// Shows the reference page.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn page(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    Ok(reference::page(&call.head, PAGE, POLICY))
}
