//! The error envelope of `OpenAI`'s API, which the chat surface, sessions and the admin API share.

use clawless_core::ApiError;
use serde::Serialize;

/// The body of every error.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Error")
)]
pub struct Envelope<'a> {
    /// The error.
    error: Body<'a>,
}

/// What is wrong.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ErrorDetails")
)]
struct Body<'a> {
    /// What is wrong, for a developer.
    message: &'a str,
    /// The family of the error, as the SDKs of `OpenAI` classify it.
    r#type: &'static str,
    /// The invalid parameter, as a path such as `messages[0].content`.
    param: Option<&'a str>,
    /// What happened.
    #[cfg_attr(feature = "schema", schemars(with = "clawless_core::ErrorCode"))]
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
