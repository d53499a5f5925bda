//! The error type of all requests.

use std::fmt;

use super::code::ErrorCode;
use crate::time::Millis;

/// An error response: the public part that the client receives, and the internal part for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The code, from the catalogue.
    pub code: ErrorCode,
    /// The public message. Contains no secrets, database errors or provider bodies.
    pub message: String,
    /// The invalid parameter, as a path such as `messages[0].content`.
    pub param: Option<String>,
    /// The internal cause. Logged with the request id, never sent.
    pub internal: Option<String>,
    /// The time after which a retry is useful.
    pub retry_after: Option<Millis>,
    /// Additional response headers, such as `allow`.
    pub headers: Vec<(&'static str, String)>,
}

impl ApiError {
    /// An error with a public message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            internal: None,
            retry_after: None,
            headers: Vec::new(),
        }
    }

    /// A server error: the client receives a generic message, the log receives `internal`.
    pub fn internal(internal: impl fmt::Display) -> Self {
        Self::new(
            ErrorCode::Internal,
            "Something failed on our side. Report the x-request-id of this answer if it persists.",
        )
        .with_internal(internal)
    }

    /// Sets the invalid parameter.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Sets the internal cause.
    #[must_use]
    pub fn with_internal(mut self, internal: impl fmt::Display) -> Self {
        self.internal = Some(internal.to_string());
        self
    }

    /// Sets the time after which a retry is useful.
    #[must_use]
    pub fn retry_after(mut self, wait: Millis) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Tells SDKs not to retry: a retry cannot succeed, or would repeat a side effect.
    #[must_use]
    pub fn without_retry(mut self) -> Self {
        self.retry_after = None;
        if self.should_retry().is_none() {
            self.headers.push(("x-should-retry", "false".to_owned()));
        }
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds response headers.
    #[must_use]
    pub fn headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// The value of `x-should-retry`, for statuses that SDKs would classify wrongly. `None` lets
    /// the SDK decide.
    pub const fn should_retry(&self) -> Option<bool> {
        match self.code {
            ErrorCode::InsufficientQuota | ErrorCode::Conflict => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_script_sends_the_same_internal_error() {
        let entry = include_str!("../../../../workers/entry/error-response.js");
        let error = ApiError::internal("");
        for text in [
            &*error.message,
            error.code.as_str(),
            error.code.error_type(),
        ] {
            assert!(entry.contains(&format!("\"{text}\"")), "{text}");
        }
    }
}
