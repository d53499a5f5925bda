//! Bodies of requests.

use clawless_api::body;
use clawless_core::ApiError;
use serde::Deserialize;

use crate::context::AdminCall;

/// The maximum length of a body, in bytes. The longest member is a tenant's system prompt.
pub(crate) const BODY_LIMIT: usize = 256 * 1024;

/// Reads the body of a request.
///
/// # Errors
/// 413 over the limit, 400 if the body is incomplete.
pub(crate) async fn read(call: &AdminCall) -> Result<Vec<u8>, ApiError> {
    call.body.read(BODY_LIMIT).await
}

/// Checks that the body of a request has no members.
///
/// # Errors
/// 400 for one that has.
pub(crate) async fn read_empty(call: &AdminCall) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    body::read_settings(&read(call).await?).map(|Empty {}| ())
}
