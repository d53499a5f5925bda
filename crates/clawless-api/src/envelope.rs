//! The error envelope of `OpenAI`'s API, which the chat surface, sessions and the admin API share.

use clawless_core::ApiError;
use serde::Serialize;

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'static str,
}

/// The public part of an error as JSON: `{"error": {"message", "type", "param", "code"}}`.
pub fn error_envelope(error: &ApiError) -> String {
    let envelope = Envelope {
        error: Body {
            message: &error.message,
            r#type: error.code.error_type(),
            param: error.param.as_deref(),
            code: error.code.as_str(),
        },
    };
    // Serializing four strings cannot fail.
    serde_json::to_string(&envelope).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clawless_core::ErrorCode;

    use super::*;

    #[test]
    fn envelope_contains_nothing_internal() {
        let error = ApiError::internal("D1: no such table: tenants");
        assert_eq!(error.status(), 500);
        assert!(!error_envelope(&error).contains("tenants"));
        let error = ApiError::new(ErrorCode::InvalidType, "expected a string").param("model");
        assert_eq!(
            error_envelope(&error),
            r#"{"error":{"message":"expected a string","type":"invalid_request_error","param":"model","code":"invalid_type"}}"#
        );
    }
}
