//! `GET /openapi.json` and `GET /docs`: the description of the gateway's API, and its reference page. The
//! gateway forwards them here: its own bundle has no room for files.

use clawless_core::ApiError;
use clawless_edge::http::{HttpResponse, reference};

use crate::service::WidgetCall;

const DESCRIPTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));
const PAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/reference.html.gz"));
const POLICY: &str = include_str!("../../../docs/api/reference.csp");

/// Shows the description.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn description(call: &WidgetCall) -> Result<HttpResponse, ApiError> {
    Ok(reference::description(&call.head, DESCRIPTION))
}

/// Shows the reference page.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn page(call: &WidgetCall) -> Result<HttpResponse, ApiError> {
    Ok(reference::page(&call.head, PAGE, POLICY))
}
