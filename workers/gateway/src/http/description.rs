//! What an API key needs for a route, for the API's description.

use clawless_core::ErrorCode::{
    self, Conflict, ContextLengthExceeded, IdempotencyKeyReused, InsufficientQuota, InvalidApiKey,
    InvalidJson, InvalidType, InvalidValue, MissingApiKey, MissingParameter, ModelNotFound,
    Overloaded, PermissionDenied, RateLimitExceeded, RequestInProgress, ResourceNotFound,
    SessionBusy, TenantSuspended, UnsupportedParameter, UpstreamError, UpstreamOverloaded,
    UpstreamRateLimited, UpstreamTimeout,
};
use clawless_edge::http::described::{DescribedAccess, Requirement};

use super::service::Access;

/// The errors of authentication and of rate limits.
const CALLER: [ErrorCode; 5] = [
    MissingApiKey,
    InvalidApiKey,
    PermissionDenied,
    TenantSuspended,
    RateLimitExceeded,
];

/// The errors of a turn: of its session, its idempotency key, its model and the provider.
const TURN: [ErrorCode; 18] = [
    InvalidJson,
    InvalidType,
    InvalidValue,
    MissingParameter,
    ModelNotFound,
    ResourceNotFound,
    UnsupportedParameter,
    ContextLengthExceeded,
    SessionBusy,
    RequestInProgress,
    Conflict,
    IdempotencyKeyReused,
    InsufficientQuota,
    UpstreamRateLimited,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamTimeout,
    Overloaded,
];

/// The headers that show the state of the caller's limits.
const RATE_LIMITS: &[&str] = &[
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
];

impl DescribedAccess for Access {
    fn requirement(self) -> Requirement {
        let (scope, _) = self.rule();
        let implied: &[ErrorCode] = match self {
            Self::Turn(_) => &TURN,
            Self::Wait(_) | Self::SessionWait(_) => &[UpstreamError, UpstreamTimeout],
            Self::Key(..) | Self::Session(..) | Self::Export(_) => &[Overloaded],
            Self::Open(_) => &[],
        };
        // A public key has no scopes.
        let permissions = match self {
            Self::Open(_) => Vec::new(),
            _ => vec![scope.as_str()],
        };
        Requirement {
            scheme: "ApiKey",
            permissions,
            errors: [CALLER.as_slice(), implied].concat(),
            headers: RATE_LIMITS,
        }
    }
}
