//! Reading of parameters, and the names of those that are ignored.

use std::borrow::Cow;

use clawless_core::json::{self, Json};
use clawless_core::{ApiError, ErrorCode};
use serde::Deserialize;

/// The most names of ignored members that are counted.
const MAX_IGNORED: usize = 256;

/// Reads a value. The error names the parameter.
pub(super) fn read_at<'a, T: Deserialize<'a>>(value: &'a Json, path: &str) -> Result<T, ApiError> {
    json::read(value.as_str()).map_err(|error| {
        let path = match error.path.as_str() {
            "" => path.to_owned(),
            below => format!("{path}.{below}"),
        };
        let message = format!("Invalid `{path}`: {}.", error.reason());
        ApiError::new(ErrorCode::InvalidType, message).param(path)
    })
}

/// The error for a required parameter that is absent.
pub(super) fn missing(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::MissingParameter,
        format!("You must provide the parameter `{name}`."),
    )
    .param(name)
}

/// Notes a member that has no meaning here, once.
pub(super) fn ignore(ignored: &mut Vec<Cow<'static, str>>, prefix: &str, name: &str) {
    let name = format!("{prefix}{}", printable(name));
    if ignored.len() < MAX_IGNORED && !ignored.iter().any(|other| *other == name) {
        ignored.push(name.into());
    }
}

/// A name as a header may contain it.
fn printable(name: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars().filter(is_plain).take(64).collect()
}
