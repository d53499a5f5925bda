//! `GET /admin/openapi.json` and `GET /admin/docs`: the description of this API, and its reference page.

use clawless_core::ApiError;
use clawless_edge::http::{HttpResponse, reference};

use crate::context::AdminCall;

const DESCRIPTION: &str = include_str!("../../../docs/api/admin-openapi.json");
const PAGE: &str = include_str!("../../../docs/api/admin-reference.html");
const POLICY: &str = include_str!("../../../docs/api/admin-reference.csp");

/// Shows the description.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn description(_: &AdminCall) -> Result<HttpResponse, ApiError> {
    Ok(reference::description(DESCRIPTION))
}

/// Shows the reference page.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn page(_: &AdminCall) -> Result<HttpResponse, ApiError> {
    Ok(reference::page(PAGE, POLICY))
}
