//! The error envelope of Anthropic's API.

use clawless_core::error::ErrorKind;
use clawless_core::{ApiError, ErrorCode, RequestId};
use serde::Serialize;

/// The parameter that names a conversation on the server.
pub(super) const THREAD: &str = "thread";

#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'static str,
    error: Body<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What SDKs read to send the whole conversation instead of continuing a thread.
#[derive(Serialize)]
struct Details {
    error_code: &'static str,
    unsupported: [&'static str; 1],
}

impl Details {
    fn of(error: &ApiError) -> Option<Self> {
        let is_thread =
            error.code == ErrorCode::UnsupportedParameter && error.param.as_deref() == Some(THREAD);
        is_thread.then_some(Self {
            error_code: "thread_unsupported_request",
            unsupported: [THREAD],
        })
    }
}

/// The public part of an error as JSON: `{"type": "error", "error": {"type", "message"},
/// "request_id"}`. SDKs choose their error classes by the status, and in streams by the type.
pub fn error_envelope(error: &ApiError, request: &RequestId) -> String {
    let envelope = Envelope {
        r#type: "error",
        error: Body {
            r#type: error_type(error.code),
            message: &error.message,
            details: Details::of(error),
        },
        request_id: request.as_str(),
    };
    // Serializing strings cannot fail.
    serde_json::to_string(&envelope).unwrap_or_default()
}

/// The type of an error, by Anthropic's names.
const fn error_type(code: ErrorCode) -> &'static str {
    match (code, code.kind()) {
        (ErrorCode::RequestTooLarge, _) => "request_too_large",
        (ErrorCode::RequestTimeout | ErrorCode::UpstreamTimeout, _) => "timeout_error",
        (ErrorCode::InsufficientQuota, _) => "billing_error",
        (ErrorCode::Overloaded | ErrorCode::UpstreamOverloaded, _) => "overloaded_error",
        (_, ErrorKind::Validation | ErrorKind::Conflict) => "invalid_request_error",
        (_, ErrorKind::Authentication) => "authentication_error",
        (_, ErrorKind::Permission) => "permission_error",
        (_, ErrorKind::NotFound) => "not_found_error",
        (_, ErrorKind::RateLimit) => "rate_limit_error",
        (_, ErrorKind::Internal | ErrorKind::Upstream) => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_type_of_the_original_that_fits_its_status() {
        for &code in ErrorCode::ALL {
            let fits: &[&str] = match code.status() {
                401 => &["authentication_error"],
                403 => &["permission_error"],
                404 => &["not_found_error"],
                408 | 504 => &["timeout_error"],
                413 => &["request_too_large"],
                429 => &["rate_limit_error", "billing_error"],
                500 | 502 => &["api_error"],
                503 => &["api_error", "overloaded_error"],
                _ => &["invalid_request_error"],
            };
            assert!(fits.contains(&error_type(code)), "{code}");
        }
    }

    #[test]
    fn a_thread_is_rejected_in_the_form_that_sdks_read() {
        let request: RequestId = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let error = ApiError::new(ErrorCode::UnsupportedParameter, "no threads").param(THREAD);
        let text = error_envelope(&error, &request);
        assert!(text.contains(
            r#""details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}"#
        ));
    }

    #[test]
    fn envelope_names_the_request_and_nothing_internal() {
        let request: RequestId = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let error = ApiError::new(ErrorCode::InvalidType, "expected a string")
            .param("model")
            .with_internal("no such table");
        assert_eq!(
            error_envelope(&error, &request),
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"expected a string"},"request_id":"req_01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#
        );
    }
}
