//! The catalogue of errors: every `code` that an answer can carry, and the one type that does.

use std::fmt;

use serde::Serialize;

use crate::time::Millis;

/// What a kind of error has in common: who can mend it, and what the SDKs make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is not right as it stands (400, 405, 412, 413, 415, 422).
    Validation,
    /// Nobody knows who asks (401).
    Authentication,
    /// Who asks may not do this (403).
    Permission,
    /// There is no such thing, or none that the caller may know of (404).
    NotFound,
    /// Something else is under way, or came first (409).
    Conflict,
    /// Too much, too fast, or more than was paid for (429).
    RateLimit,
    /// Our own fault (500, 503).
    Internal,
    /// A model provider's fault (502, 503, 504).
    Upstream,
}

macro_rules! catalogue {
    ($($variant:ident, $code:literal, $status:literal, $kind:ident, $type:literal, $why:literal, $remedy:literal;)*) => {
        /// A stable, machine-readable reason. Clients may match on it; it never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $why] $variant,)*
        }

        impl ErrorCode {
            /// Every code there is, for the documentation that is generated from it.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it stands in the error envelope.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that goes with the code.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The family of errors that the code belongs to.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)* }
            }

            /// The envelope's `type`, in `OpenAI`'s own words where it has them.
            pub const fn error_type(self) -> &'static str {
                match self { $(Self::$variant => $type,)* }
            }

            /// Why a caller gets this code.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }

            /// What the caller can do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

catalogue! {
    InvalidJson, "invalid_json", 400, Validation, "invalid_request_error",
        "The body is not one well-formed JSON value.",
        "Send one JSON object, without trailing bytes, duplicate members, NaN or nesting deeper than 96.";
    InvalidType, "invalid_type", 400, Validation, "invalid_request_error",
        "A parameter has the wrong JSON type.",
        "Send the type that the message names for the parameter in `param`.";
    InvalidValue, "invalid_value", 400, Validation, "invalid_request_error",
        "A parameter has a value outside what is allowed.",
        "Correct the parameter in `param` as the message says.";
    MissingParameter, "missing_required_parameter", 400, Validation, "invalid_request_error",
        "A required parameter is absent.",
        "Add the parameter in `param`.";
    UnknownParameter, "unknown_parameter", 400, Validation, "invalid_request_error",
        "The request names a parameter that this route does not take.",
        "Remove the parameter in `param`; identity and limits come from the key alone.";
    UnsupportedParameter, "unsupported_parameter", 400, Validation, "invalid_request_error",
        "The model that was chosen cannot do what the parameter asks.",
        "Remove the parameter in `param` or choose a model that has the feature.";
    ContextLengthExceeded, "context_length_exceeded", 400, Validation, "invalid_request_error",
        "The messages do not fit the model's context window.",
        "Shorten the messages or choose a model with a larger window.";
    MethodNotAllowed, "method_not_allowed", 405, Validation, "invalid_request_error",
        "The route exists but not for this method.",
        "Use one of the methods in the `allow` header.";
    PreconditionFailed, "precondition_failed", 412, Validation, "invalid_request_error",
        "The resource changed since it was read.",
        "Read it again and repeat the change with the new `etag`.";
    RequestTooLarge, "request_too_large", 413, Validation, "invalid_request_error",
        "The body is larger than the limit.",
        "Send less; the message names the limit in bytes.";
    UnsupportedMediaType, "unsupported_media_type", 415, Validation, "invalid_request_error",
        "The body is not plain JSON.",
        "Send `content-type: application/json` and no `content-encoding`.";
    IdempotencyKeyReused, "idempotency_key_reused", 422, Validation, "invalid_request_error",
        "The idempotency key was used before with another body.",
        "Use a fresh key for each distinct request.";
    MissingApiKey, "missing_api_key", 401, Authentication, "invalid_request_error",
        "The request carries no API key.",
        "Send `authorization: Bearer` and your key; keys are never read from the URL.";
    InvalidApiKey, "invalid_api_key", 401, Authentication, "invalid_request_error",
        "The API key is unknown, malformed, expired or revoked.",
        "Check the key, or ask the tenant's operator for a new one.";
    PermissionDenied, "permission_denied", 403, Permission, "permission_error",
        "The key is good but lacks the scope that the route needs.",
        "Use a key with the scope that the message names.";
    TenantSuspended, "tenant_suspended", 403, Permission, "permission_error",
        "The tenant is suspended.",
        "Ask the operator of this service.";
    RouteNotFound, "route_not_found", 404, NotFound, "invalid_request_error",
        "There is no such route.",
        "Check the path; the API lives under `/v1`.";
    ModelNotFound, "model_not_found", 404, NotFound, "invalid_request_error",
        "The model does not exist, or this tenant may not use it.",
        "Choose one of the models that `GET /v1/models` lists.";
    ResourceNotFound, "resource_not_found", 404, NotFound, "invalid_request_error",
        "There is no such resource in this tenant.",
        "Check the id.";
    SessionBusy, "session_busy", 409, Conflict, "invalid_request_error",
        "Another turn of the session is still running.",
        "Repeat the request after `retry-after`.";
    RequestInProgress, "request_in_progress", 409, Conflict, "invalid_request_error",
        "The request with this idempotency key is still running.",
        "Repeat the request after `retry-after`.";
    Conflict, "conflict", 409, Conflict, "invalid_request_error",
        "The change contradicts the present state.",
        "Read the resource again and decide anew.";
    RateLimitExceeded, "rate_limit_exceeded", 429, RateLimit, "requests",
        "More requests or tokens came in than the rate limit lets through.",
        "Wait as long as `retry-after` says.";
    InsufficientQuota, "insufficient_quota", 429, RateLimit, "insufficient_quota",
        "The tenant's quota for this period is used up.",
        "Wait for the next period or ask the operator for more; a retry cannot help.";
    UpstreamRateLimited, "upstream_rate_limited", 429, RateLimit, "requests",
        "The model's provider is limiting requests and no other model could answer.",
        "Wait as long as `retry-after` says; the call was not charged.";
    Internal, "internal_error", 500, Internal, "server_error",
        "Something failed on our side.",
        "Retry; if it persists, report the `x-request-id`.";
    ServiceUnavailable, "service_unavailable", 503, Internal, "server_error",
        "A part of the service that the request needs is not available.",
        "Retry after `retry-after`.";
    UpstreamError, "upstream_error", 502, Upstream, "upstream_error",
        "The model's provider failed or gave an answer that makes no sense.",
        "Retry; what was produced before the failure is charged, nothing else.";
    UpstreamOverloaded, "upstream_overloaded", 503, Upstream, "upstream_error",
        "The model's provider is overloaded.",
        "Retry after `retry-after`; the call was not charged.";
    UpstreamTimeout, "upstream_timeout", 504, Upstream, "upstream_error",
        "The model's provider did not answer in time.",
        "Retry, or choose a faster model.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error on its way to a client: what the client is told, and what only the log is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The reason, from the catalogue.
    pub code: ErrorCode,
    /// What the client is told. Never holds secrets, database text or a provider's body.
    pub message: String,
    /// The request's parameter that is at fault, as a path such as `messages[0].content`.
    pub param: Option<String>,
    /// What the log is told beside the request id. Never sent.
    pub internal: Option<String>,
    /// How long a client should wait before it tries again.
    pub retry_after: Option<Millis>,
    /// Further headers of the answer, such as `allow`.
    pub headers: Vec<(&'static str, String)>,
}

/// The body of an error answer: `{"error": {"message", "type", "param", "code"}}`.
#[derive(Debug, Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'static str,
}

impl ApiError {
    /// An error with a sentence for the client.
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

    /// Our own fault: the client gets one generic sentence, the log gets `internal`.
    pub fn internal(internal: impl fmt::Display) -> Self {
        Self::new(
            ErrorCode::Internal,
            "Something failed on our side. Report the x-request-id of this answer if it persists.",
        )
        .because(internal)
    }

    /// Names the parameter at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds what only the log is told.
    #[must_use]
    pub fn because(mut self, internal: impl fmt::Display) -> Self {
        self.internal = Some(internal.to_string());
        self
    }

    /// Says how long to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Millis) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Says that a retry cannot help, or would do something twice.
    #[must_use]
    pub fn without_retry(mut self) -> Self {
        self.retry_after = None;
        if self.should_retry().is_none() {
            self.headers.push(("x-should-retry", "false".to_owned()));
        }
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds several headers to the answer.
    #[must_use]
    pub fn headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// Whether a retry can help, where the status alone would mislead an SDK: `None` leaves the
    /// SDK's own judgement.
    pub const fn should_retry(&self) -> Option<bool> {
        match self.code {
            ErrorCode::InsufficientQuota | ErrorCode::Conflict => Some(false),
            _ => None,
        }
    }

    /// The error envelope as JSON text.
    pub fn to_json(&self) -> String {
        let envelope = Envelope {
            error: Body {
                message: &self.message,
                r#type: self.code.error_type(),
                param: self.param.as_deref(),
                code: self.code.as_str(),
            },
        };
        // Four strings always serialise.
        serde_json::to_string(&envelope).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_fit_their_kind() {
        let mut seen = HashSet::new();
        for &code in ErrorCode::ALL {
            assert!(seen.insert(code.as_str()), "{code} stands twice");
            let fits = match code.kind() {
                ErrorKind::Validation => {
                    matches!(code.status(), 400 | 405 | 412 | 413 | 415 | 422)
                }
                ErrorKind::Authentication => code.status() == 401,
                ErrorKind::Permission => code.status() == 403,
                ErrorKind::NotFound => code.status() == 404,
                ErrorKind::Conflict => code.status() == 409,
                ErrorKind::RateLimit => code.status() == 429,
                ErrorKind::Internal => matches!(code.status(), 500 | 503),
                ErrorKind::Upstream => matches!(code.status(), 502..=504),
            };
            assert!(fits, "{code} has status {}", code.status());
        }
    }

    #[test]
    fn a_request_that_dies_is_told_the_same_words() {
        let entry = include_str!("../../../workers/entry.js");
        let error = ApiError::internal("");
        for words in [
            &*error.message,
            error.code.as_str(),
            error.code.error_type(),
        ] {
            assert!(entry.contains(&format!("\"{words}\"")), "{words}");
        }
    }

    #[test]
    fn the_envelope_tells_the_client_nothing_internal() {
        let error = ApiError::internal("D1: no such table: tenants");
        assert_eq!(error.status(), 500);
        assert!(!error.to_json().contains("tenants"));
        let body = ApiError::new(ErrorCode::InvalidType, "expected a string")
            .param("model")
            .to_json();
        assert_eq!(
            body,
            r#"{"error":{"message":"expected a string","type":"invalid_request_error","param":"model","code":"invalid_type"}}"#
        );
    }
}
