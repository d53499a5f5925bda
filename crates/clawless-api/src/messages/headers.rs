//! The headers of Anthropic's API that a request depends on.

use clawless_core::{ApiError, ErrorCode};

/// The versions of the API. Requests and answers of this surface are the same in both.
const VERSIONS: [&str; 2] = ["2023-06-01", NEWEST];
const NEWEST: &str = "2026-10-21";
const VERSION_HEADER: &str = "anthropic-version";
const BETA_HEADER: &str = "anthropic-beta";

/// The most beta features of a request, and the longest name of one.
const MAX_BETAS: usize = 32;
const MAX_BETA_BYTES: usize = 64;

/// The headers that a request depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    /// The value of `anthropic-version`.
    pub version: Option<&'a str>,
    /// The value of `anthropic-beta`: names of features, separated by commas.
    pub beta: Option<&'a str>,
}

impl Headers<'_> {
    /// The beta features, after the version is checked.
    ///
    /// # Errors
    /// 400 if the version is missing or unknown, or a feature has no valid name.
    pub(super) fn betas(&self) -> Result<Vec<String>, ApiError> {
        match self.version {
            Some(version) if VERSIONS.contains(&version) => {}
            Some(_) => {
                let message = format!("`{VERSION_HEADER}` is not a valid version: send {NEWEST}.");
                return Err(ApiError::new(ErrorCode::InvalidValue, message).param(VERSION_HEADER));
            }
            None => {
                let message =
                    format!("`{VERSION_HEADER}`: this header is required; send {NEWEST}.");
                let error = ApiError::new(ErrorCode::MissingParameter, message);
                return Err(error.param(VERSION_HEADER));
            }
        }
        let names = self.beta.unwrap_or_default().split(',').map(str::trim);
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_valid = |name: &&str| name.len() <= MAX_BETA_BYTES && name.bytes().all(is_plain);
        if names.len() > MAX_BETAS || !names.iter().all(is_valid) {
            let message = format!("`{BETA_HEADER}` has up to {MAX_BETAS} names of features.");
            return Err(ApiError::new(ErrorCode::InvalidValue, message).param(BETA_HEADER));
        }
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}
