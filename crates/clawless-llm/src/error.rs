//! Failures of model calls, grouped by how the caller can react.

use clawless_core::{ApiError, ErrorCode, Millis};

use crate::sse::SseError;

/// The `retry-after` sent to a client if the provider specifies none.
const DEFAULT_RETRY_AFTER: Millis = Millis::from_secs(2);

/// A model call failed. Texts are for the log unless a variant says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The provider rate-limits the gateway (429).
    #[error("rate limited by the provider")]
    RateLimited {
        /// The provider's retry delay, if specified.
        retry_after: Option<Millis>,
    },
    /// The provider is overloaded (529, or an error with that meaning).
    #[error("the provider is overloaded")]
    Overloaded {
        /// The provider's retry delay, if specified.
        retry_after: Option<Millis>,
    },
    /// The provider failed (408, 5xx).
    #[error("the provider responded with {status}")]
    ServerError {
        /// The provider's status.
        status: u16,
        /// The provider's retry delay, if specified.
        retry_after: Option<Millis>,
    },
    /// Connection failed, or closed before the response began.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// Timeout before the response began.
    #[error("timeout before the response began")]
    FirstByteTimeout,
    /// Idle timeout during the response.
    #[error("idle timeout during the response")]
    IdleTimeout,
    /// The whole call exceeded its deadline.
    #[error("the call exceeded its deadline")]
    DeadlineExceeded,
    /// The response ended before it was complete.
    #[error("the response is incomplete: {0}")]
    Truncated(String),
    /// The response cannot be parsed.
    #[error("the response is invalid: {0}")]
    Malformed(String),
    /// The response is empty although no limit or filter cut it.
    #[error("the response is empty")]
    EmptyAnswer,
    /// The provider reported an unclassified error in its response.
    #[error("the provider reported an error: {0}")]
    Reported(String),
    /// The provider rejects the client's request (400, 413, 422, flagged input). The message is the
    /// provider's, limited to one bounded line, and is sent to the client.
    #[error("the provider rejects the request: {message}")]
    InvalidRequest {
        /// The provider's message.
        message: String,
        /// The invalid parameter.
        param: Option<String>,
    },
    /// The model or the provider does not support a parameter of the request.
    #[error("the model does not support `{param}`: {message}")]
    Unsupported {
        /// The message for the client.
        message: String,
        /// The unsupported parameter.
        param: String,
    },
    /// The messages do not fit the model's context window.
    #[error("the messages do not fit the model's context window")]
    ContextLength,
    /// The provider rejects the gateway's configuration, not the client's request: an invalid key,
    /// an unknown model, an unpaid account, a redirect (3xx, 401, 402, 403, 404 …).
    #[error("the provider rejects the gateway's configuration with {status}")]
    Misconfigured {
        /// The provider's status.
        status: u16,
    },
}

impl LlmError {
    /// Whether the same model may be retried, if no byte of the response was sent to the client.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Overloaded { .. }
                | Self::ServerError { .. }
                | Self::Unreachable(_)
                | Self::Truncated(_)
                | Self::EmptyAnswer
                | Self::Reported(_)
        )
    }

    /// Whether another model may be called, if no byte of the response was sent to the client.
    pub const fn may_fall_over(&self) -> bool {
        !matches!(self, Self::InvalidRequest { .. } | Self::DeadlineExceeded)
    }

    /// Whether the failure counts against the provider's health. Rejections that may depend on the
    /// request (400, 403, 404, 413, 422, …), rate limits and the call's own deadline do not.
    pub const fn is_providers_fault(&self) -> bool {
        matches!(
            self,
            Self::Overloaded { .. }
                | Self::ServerError {
                    status: 408 | 500..,
                    ..
                }
                | Self::Unreachable(_)
                | Self::FirstByteTimeout
                | Self::IdleTimeout
                | Self::Truncated(_)
                | Self::Malformed(_)
                | Self::Reported(_)
                // An invalid key fails every request.
                | Self::Misconfigured { status: 401 }
        )
    }

    /// Whether the provider got no request, because this gateway cannot represent it there.
    pub const fn is_unsent(&self) -> bool {
        matches!(self, Self::Unsupported { .. })
    }

    /// Whether the provider responded, and rejected the request or this gateway. The call's own deadline
    /// says nothing about the provider.
    pub const fn is_rejection(&self) -> bool {
        !self.is_providers_fault() && !self.is_unsent() && !matches!(self, Self::DeadlineExceeded)
    }

    /// A failure to encode a request, which says nothing about the provider. Its reason may quote the
    /// client's text.
    pub(crate) fn in_encoding(self) -> Self {
        match self {
            Self::Malformed(_) => Self::Unsupported {
                message: "This model does not take a message of the conversation.".to_owned(),
                param: "messages".to_owned(),
            },
            other => other,
        }
    }

    /// The provider's retry delay, if specified.
    pub const fn retry_after(&self) -> Option<Millis> {
        match self {
            Self::RateLimited { retry_after }
            | Self::Overloaded { retry_after }
            | Self::ServerError { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<SseError> for LlmError {
    fn from(error: SseError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// The error sent to the client. A provider's text is only logged, unless it concerns the client's
/// request.
impl From<LlmError> for ApiError {
    fn from(error: LlmError) -> Self {
        let wait = error.retry_after();
        let answer = match &error {
            LlmError::InvalidRequest { message, param } => {
                let answer = Self::new(ErrorCode::InvalidValue, message.clone());
                match param {
                    Some(param) => answer.param(param.clone()),
                    None => answer,
                }
            }
            LlmError::Unsupported { message, param } => {
                Self::new(ErrorCode::UnsupportedParameter, message.clone()).param(param.clone())
            }
            LlmError::ContextLength => Self::new(
                ErrorCode::ContextLengthExceeded,
                "The messages do not fit this model's maximum context length. Shorten them or choose a model with a larger context.",
            )
            .param("messages"),
            LlmError::RateLimited { .. } => Self::new(
                ErrorCode::UpstreamRateLimited,
                "The model's provider is limiting requests. Wait and try again; this request was not charged.",
            )
            .retry_after(wait.unwrap_or(DEFAULT_RETRY_AFTER)),
            LlmError::Overloaded { .. }
            | LlmError::ServerError { status: 503, .. } => Self::new(
                ErrorCode::UpstreamOverloaded,
                "The model is overloaded. Wait and try again.",
            )
            .retry_after(wait.unwrap_or(DEFAULT_RETRY_AFTER)),
            LlmError::FirstByteTimeout | LlmError::IdleTimeout | LlmError::DeadlineExceeded => {
                Self::new(
                    ErrorCode::UpstreamTimeout,
                    "The model did not answer in time.",
                )
            }
            LlmError::Truncated(_) => Self::new(
                ErrorCode::UpstreamError,
                "The model's answer broke off before it was complete.",
            ),
            LlmError::EmptyAnswer => {
                Self::new(ErrorCode::UpstreamError, "The model gave an empty answer.")
            }
            LlmError::ServerError { .. }
            | LlmError::Unreachable(_)
            | LlmError::Malformed(_)
            | LlmError::Reported(_)
            | LlmError::Misconfigured { .. } => Self::new(
                ErrorCode::UpstreamError,
                "The model's provider failed to answer.",
            ),
        };
        answer.with_internal(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status_and_contains_no_secret() {
        let secret = || "canary".to_owned();
        let wait = Some(Millis::from_secs(7));
        let cases = [
            (LlmError::RateLimited { retry_after: wait }, 429),
            (LlmError::Overloaded { retry_after: None }, 503),
            (
                LlmError::ServerError {
                    status: 500,
                    retry_after: None,
                },
                502,
            ),
            (LlmError::Unreachable(secret()), 502),
            (LlmError::FirstByteTimeout, 504),
            (LlmError::IdleTimeout, 504),
            (LlmError::DeadlineExceeded, 504),
            (LlmError::Truncated(secret()), 502),
            (LlmError::Malformed(secret()), 502),
            (LlmError::EmptyAnswer, 502),
            (LlmError::Reported(secret()), 502),
            (LlmError::Misconfigured { status: 401 }, 502),
            (LlmError::ContextLength, 400),
        ];
        for (error, status) in cases {
            let answer = ApiError::from(error.clone());
            assert_eq!(answer.status(), status, "{error:?}");
            let public = format!("{} {:?}", answer.message, answer.param);
            assert!(!public.contains("canary"), "{error:?}");
            assert!(answer.internal.is_some(), "{error:?}");
        }
        let limited = ApiError::from(LlmError::RateLimited { retry_after: wait });
        assert_eq!(limited.retry_after, wait);
        let busy = ApiError::from(LlmError::Overloaded { retry_after: None });
        assert!(busy.retry_after.is_some());
    }

    #[test]
    fn own_failures_say_nothing_about_the_provider() {
        let unsupported = LlmError::Unsupported {
            message: String::new(),
            param: String::new(),
        };
        let in_encoding = LlmError::Malformed("x".to_owned()).in_encoding();
        for error in [unsupported, in_encoding, LlmError::DeadlineExceeded] {
            assert!(
                !error.is_providers_fault() && !error.is_rejection(),
                "{error:?}"
            );
        }
        assert!(LlmError::ContextLength.is_rejection());
    }

    #[test]
    fn client_errors_are_neither_retried_nor_counted_against_the_provider() {
        let wrong = LlmError::InvalidRequest {
            message: "`stop` has too many texts".to_owned(),
            param: Some("stop".to_owned()),
        };
        assert!(!wrong.is_retryable() && !wrong.may_fall_over() && !wrong.is_providers_fault());
        let answer = ApiError::from(wrong);
        assert_eq!(answer.param.as_deref(), Some("stop"));
        assert_eq!(answer.message, "`stop` has too many texts");
    }
}
