//! The catalogue of error codes. `docs/errors.md` is generated from it.

use std::fmt;

/// The family of an error: who can fix it, and how SDKs classify it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is invalid (400, 405, 408, 412, 413, 415, 422).
    Validation,
    /// The caller is not authenticated (401).
    Authentication,
    /// The caller lacks permission (403).
    Permission,
    /// The resource does not exist, or is not visible to the caller (404).
    NotFound,
    /// The request conflicts with the state of the resource (409).
    Conflict,
    /// A rate limit or quota is exceeded (429).
    RateLimit,
    /// The server failed (500, 503).
    Internal,
    /// A model provider failed (502, 503, 504).
    Upstream,
}

macro_rules! catalogue {
    ($($variant:ident, $code:literal, $status:literal, $kind:ident, $type:literal, $why:literal, $remedy:literal;)*) => {
        /// A stable, machine-readable error code. Its meaning never changes; clients may match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $why] $variant,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The `code` of the error envelope.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The family of the error.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)* }
            }

            /// The `type` of the error envelope, as `OpenAI` names it where it has a name.
            pub const fn error_type(self) -> &'static str {
                match self { $(Self::$variant => $type,)* }
            }

            /// The cause, for the documentation.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }

            /// The remedy, for the documentation.
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
        "A parameter has a value that is not allowed.",
        "Correct the parameter in `param` as the message says.";
    MissingParameter, "missing_required_parameter", 400, Validation, "invalid_request_error",
        "A required parameter is absent.",
        "Add the parameter in `param`.";
    UnknownParameter, "unknown_parameter", 400, Validation, "invalid_request_error",
        "The route does not accept the parameter.",
        "Remove the parameter in `param`; identity and limits come from the API key.";
    UnsupportedParameter, "unsupported_parameter", 400, Validation, "invalid_request_error",
        "The chosen model does not support the parameter.",
        "Remove the parameter in `param` or choose a model that supports it.";
    ContextLengthExceeded, "context_length_exceeded", 400, Validation, "invalid_request_error",
        "The messages do not fit the model's context window.",
        "Shorten the messages or choose a model with a larger window.";
    MethodNotAllowed, "method_not_allowed", 405, Validation, "invalid_request_error",
        "The route does not support the method.",
        "Use one of the methods in the `allow` header.";
    RequestTimeout, "request_timeout", 408, Validation, "invalid_request_error",
        "The body did not arrive in time.",
        "Retry over a faster connection, or send a smaller body.";
    PreconditionFailed, "precondition_failed", 412, Validation, "invalid_request_error",
        "The resource has changed since it was read.",
        "Read it again and retry with the new `etag`.";
    RequestTooLarge, "request_too_large", 413, Validation, "invalid_request_error",
        "The body is larger than the limit.",
        "Send a smaller body; the message states the limit in bytes.";
    UnsupportedMediaType, "unsupported_media_type", 415, Validation, "invalid_request_error",
        "The body is not JSON, or it is compressed.",
        "Send `content-type: application/json` and no `content-encoding`.";
    IdempotencyKeyReused, "idempotency_key_reused", 422, Validation, "invalid_request_error",
        "The idempotency key was used before with another body.",
        "Use a new idempotency key for each distinct request.";
    MissingApiKey, "missing_api_key", 401, Authentication, "invalid_request_error",
        "The request carries no API key.",
        "Send `authorization: Bearer` and your key; keys in the URL are not accepted.";
    InvalidApiKey, "invalid_api_key", 401, Authentication, "invalid_request_error",
        "The API key is unknown, malformed, expired or revoked.",
        "Check the key, or ask the tenant's operator for a new one.";
    PermissionDenied, "permission_denied", 403, Permission, "permission_error",
        "The key is valid but lacks the scope that the route requires.",
        "Use a key with the scope that the message names.";
    TenantSuspended, "tenant_suspended", 403, Permission, "permission_error",
        "The tenant is suspended.",
        "Ask the operator of this service.";
    RouteNotFound, "route_not_found", 404, NotFound, "invalid_request_error",
        "The route does not exist.",
        "Check the path; the API lives under `/v1`.";
    ModelNotFound, "model_not_found", 404, NotFound, "invalid_request_error",
        "The model does not exist, or this tenant may not use it.",
        "Choose one of the models that `GET /v1/models` lists.";
    ResourceNotFound, "resource_not_found", 404, NotFound, "invalid_request_error",
        "The resource does not exist in this tenant.",
        "Check the id.";
    SessionBusy, "session_busy", 409, Conflict, "invalid_request_error",
        "Another turn of the session is still running.",
        "Retry after `retry-after`.";
    RequestInProgress, "request_in_progress", 409, Conflict, "invalid_request_error",
        "The request with this idempotency key is still running.",
        "Retry after `retry-after`.";
    Conflict, "conflict", 409, Conflict, "invalid_request_error",
        "The change conflicts with the current state of the resource.",
        "Read the resource again and adapt the change.";
    RateLimitExceeded, "rate_limit_exceeded", 429, RateLimit, "requests",
        "The rate limit is exceeded, too many requests run at once, or running requests have reserved the rest of a quota.",
        "Retry after `retry-after`.";
    InsufficientQuota, "insufficient_quota", 429, RateLimit, "insufficient_quota",
        "The usage of this period leaves too little of the tenant's quota.",
        "Wait for the next period or ask the operator for a larger quota; a retry cannot succeed.";
    UpstreamRateLimited, "upstream_rate_limited", 429, RateLimit, "requests",
        "The model's provider limits requests, and no fallback model could answer.",
        "Retry after `retry-after`; the call was not charged.";
    Internal, "internal_error", 500, Internal, "server_error",
        "The server failed.",
        "Retry. If the error persists, report the `x-request-id`.";
    Overloaded, "overloaded", 503, Internal, "server_error",
        "The server holds as many requests and answers as fit its memory.",
        "Retry after `retry-after`; nothing was charged.";
    ServiceUnavailable, "service_unavailable", 503, Internal, "server_error",
        "A component that the request needs is not available.",
        "Retry after `retry-after`.";
    UpstreamError, "upstream_error", 502, Upstream, "upstream_error",
        "The model's provider failed or sent an invalid response.",
        "Retry; only output produced before the failure is charged.";
    UpstreamOverloaded, "upstream_overloaded", 503, Upstream, "upstream_error",
        "The model's provider is overloaded.",
        "Retry after `retry-after`; the call was not charged.";
    UpstreamTimeout, "upstream_timeout", 504, Upstream, "upstream_error",
        "The model's provider did not respond in time.",
        "Retry, or choose a faster model.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
            assert!(seen.insert(code.as_str()), "duplicate code {code}");
            let fits = match code.kind() {
                ErrorKind::Validation => {
                    matches!(code.status(), 400 | 405 | 408 | 412 | 413 | 415 | 422)
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
}
