//! The response that a path names.

use clawless_api::responses::{StoredEcho, request_of_response, response_not_found};
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

/// Finds a stored response and its echo.
///
/// # Errors
/// 503 if storage does not answer.
pub(super) async fn find<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request: &RequestId,
) -> Result<Option<(FoundResponse, StoredEcho)>, ApiError> {
    let now = platform.time().now();
    let found = turns::find_response(platform.sql(), tenant, request, now).await?;
    let Some(mut found) = found else {
        return Ok(None);
    };
    let echo = found.turn.echo.take().map(|echo| StoredEcho::read(&echo));
    let echo = echo.transpose().map_err(ApiError::internal)?;
    Ok(Some((found, echo.unwrap_or_default())))
}
