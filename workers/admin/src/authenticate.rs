//! Authentication: from a bearer token to an [`Actor`].

use clawless_core::admin_role::AdminRole;
use clawless_core::keys::{KeyDigest, KeyText};
use clawless_core::time::{Millis, Timestamp};
use clawless_core::{ApiError, ErrorCode, KeyKind};
use clawless_edge::http::request::{Authorization, RequestHead};
use clawless_store::{Sql, admin_tokens};
use worker::Env;

use crate::bindings::{self, BY_ADDRESS, BY_TOKEN};

/// The shortest secret that is accepted as the first operator's token, in bytes.
pub(crate) const MIN_SECRET_BYTES: usize = 32;

/// The first operator in the audit log.
const FIRST_OPERATOR: &str = "bootstrap";

/// How long to wait after too many requests: the limits count per minute.
const RETRY_AFTER_RATE: Millis = Millis::from_secs(60);

/// An authenticated user of the API. Only [`authenticate`] makes one, so a handler that takes an actor
/// cannot run without authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    /// The id of the token, which the audit log names.
    pub(crate) id: String,
    /// What the token may do.
    pub(crate) role: AdminRole,
}

/// Authenticates a request.
///
/// 1. 429 if too many requests came from the address, or its IPv6 /64, before anything is read.
/// 2. 401 if the header is absent or has another scheme, 403 for a tenant's key, 401 if a
///    token's shape or checksum is wrong; before storage is read.
/// 3. 401 if no usable token has this digest; the response does not say why. Tokens are read from
///    the database for each request, so that a revoked or narrowed one
///    is refused at the next.
/// 4. 429 if too many requests came with the token.
///
/// # Errors
/// The statuses above; 503 if storage does not respond.
pub(crate) async fn authenticate(
    env: &Env,
    sql: &impl Sql,
    head: &RequestHead,
    now: Timestamp,
) -> Result<Actor, ApiError> {
    if !bindings::is_within_limit(env, BY_ADDRESS, &head.address()).await {
        return Err(too_many("address"));
    }
    let token = bearer(head)?;
    let actor = if is_first_operator(env, token) {
        Actor {
            id: FIRST_OPERATOR.to_owned(),
            role: AdminRole::Owner,
        }
    } else {
        find(sql, token, now).await?
    };
    if !bindings::is_within_limit(env, BY_TOKEN, &actor.id).await {
        return Err(too_many("token"));
    }
    Ok(actor)
}

fn bearer(head: &RequestHead) -> Result<&str, ApiError> {
    match head.authorization() {
        Authorization::Bearer(token) => Ok(token),
        Authorization::Other => Err(incorrect()),
        Authorization::Absent => Err(ApiError::new(
            ErrorCode::MissingApiKey,
            "Send an admin token in the header `authorization: Bearer`.",
        )),
    }
}

/// Whether it is the secret of the deployment. Digests are compared in constant time.
fn is_first_operator(env: &Env, token: &str) -> bool {
    let Some(secret) = bindings::first_token(env) else {
        return false;
    };
    if secret.len() < MIN_SECRET_BYTES {
        tracing::error!(
            internal = "ADMIN_TOKEN is too short",
            "admin secret ignored"
        );
        return false;
    }
    KeyDigest::from_secret(&secret).matches(&KeyDigest::from_secret(token))
}

async fn find(sql: &impl Sql, token: &str, now: Timestamp) -> Result<Actor, ApiError> {
    let token = KeyText::parse(token).map_err(|_| incorrect())?;
    match token.kind() {
        KeyKind::Admin => {}
        // The holder of a key is known to the service, so the response may say what it lacks.
        KeyKind::Secret => {
            return Err(ApiError::new(
                ErrorCode::PermissionDenied,
                "API keys of tenants cannot use the admin API.",
            ));
        }
        KeyKind::Public => return Err(incorrect()),
    }
    let found = admin_tokens::find_by_digest_across_tenants(sql, token.digest()).await?;
    match found {
        Some(found) if found.is_usable(now) => Ok(Actor {
            id: found.id.as_str().to_owned(),
            role: found.role,
        }),
        _ => Err(incorrect()),
    }
}

fn incorrect() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidApiKey,
        "Incorrect admin token. Check it, or ask another operator for a new one.",
    )
}

fn too_many(origin: &str) -> ApiError {
    ApiError::new(
        ErrorCode::RateLimitExceeded,
        format!("Too many requests came with this {origin}. Wait as long as `retry-after` says."),
    )
    .retry_after(RETRY_AFTER_RATE)
}
