//! Validation of what operators send: an error names the parameter at fault.

pub(crate) use clawless_api::body::read_settings as parse;
use clawless_core::ApiError;
use clawless_core::time::Timestamp;
use clawless_edge::http::query::invalid;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::context::AdminCall;

/// The longest body of a request, in bytes. The longest part of any is a tenant's system prompt.
pub(crate) const BODY_LIMIT: usize = 256 * 1024;

/// The longest name of a tenant, a key or a token, in characters; the database has the same limit.
const MAX_NAME: usize = 200;

/// Reads the body of a request; an empty one is an empty object.
///
/// # Errors
/// 400 that names the parameter at fault; repeated members are refused at any depth.
pub(crate) async fn read<T: DeserializeOwned>(call: &AdminCall) -> Result<T, ApiError> {
    parse(&call.body.read(BODY_LIMIT).await?)
}

/// Checks that the body of a request has no members.
///
/// # Errors
/// 400 for one that has.
pub(crate) async fn read_empty(call: &AdminCall) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    read(call).await.map(|Empty {}| ())
}

/// A name that people read.
///
/// # Errors
/// 400 if it is empty, too long or contains control characters.
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

/// The time of an expiry, in seconds since 1970.
///
/// # Errors
/// 400 if it is in the past.
pub(crate) fn expiry(secs: Option<u64>, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    /// The end of the year 9999. A later time is a mistake: milliseconds, for example.
    const LATEST: u64 = 253_402_300_799;
    let Some(secs) = secs else { return Ok(None) };
    let expiry = Timestamp::from_millis(secs.saturating_mul(1000));
    if expiry <= now || secs > LATEST {
        return Err(invalid(
            "expires_at",
            "`expires_at` is a future time, in seconds since 1970 (UTC).".to_owned(),
        ));
    }
    Ok(Some(expiry))
}
