//! What operators send, checked: an error names the parameter at fault.

pub(crate) use clawless_api::body::read_settings as read;
use clawless_core::time::Timestamp;
use clawless_core::{ApiError, ErrorCode};
use serde::Deserialize;

/// The longest body of a request, in bytes: a tenant's system prompt is the longest part of any.
pub(crate) const BODY_LIMIT: usize = 256 * 1024;

/// The longest name of a tenant, a key or a token, in characters; the database's own limit.
const MAX_NAME: usize = 200;

/// Checks that a body says nothing.
///
/// # Errors
/// 400 for one that does.
pub(crate) fn nothing(bytes: &[u8]) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    read(bytes).map(|Nothing {}| ())
}

/// A name for people.
///
/// # Errors
/// 400 where it is empty, too long or holds control characters.
pub(crate) fn name(text: String) -> Result<String, ApiError> {
    let fits = (1..=MAX_NAME).contains(&text.chars().count());
    if fits && !text.contains(char::is_control) {
        return Ok(text);
    }
    Err(invalid(
        "name",
        format!("`name` has 1 to {MAX_NAME} characters and no control characters."),
    ))
}

/// A moment at which something ends, in seconds since 1970 as clients send it.
///
/// # Errors
/// 400 where it has passed.
pub(crate) fn end(secs: Option<u64>, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    /// The year 9999; later moments are mistakes, as milliseconds are.
    const LATEST: u64 = 253_402_300_799;
    let Some(secs) = secs else { return Ok(None) };
    let end = Timestamp::from_millis(secs.saturating_mul(1000));
    if end <= now || secs > LATEST {
        return Err(invalid(
            "expires_at",
            "`expires_at` is a moment to come, in seconds since 1970 (UTC).".to_owned(),
        ));
    }
    Ok(Some(end))
}

/// The refusal of a value.
pub(crate) fn invalid(param: &str, message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidValue, message).param(param)
}
