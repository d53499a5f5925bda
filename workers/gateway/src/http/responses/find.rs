//! The response that a path names.

use clawless_api::responses::{request_of_response, response_not_found};
use clawless_core::{ApiError, Clock, RequestId, TenantId};
use clawless_store::turns::{self, FoundResponse};

use crate::platform::Platform;

/// The request that a path's response answers.
///
/// # Errors
/// 404 for what is no response's id.
pub(super) fn request_of(id: &str) -> Result<RequestId, ApiError> {
    request_of_response(id).ok_or_else(response_not_found)
}

/// Finds a stored response.
///
/// # Errors
/// 503 if storage does not answer.
pub(super) async fn find<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request: &RequestId,
) -> Result<Option<FoundResponse>, ApiError> {
    let now = platform.time().now();
    Ok(turns::find_response(platform.sql(), tenant, request, now).await?)
}
