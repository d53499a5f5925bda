//! Step 1: resolves an API key to a [`Caller`].

use clawless_core::keys::{KeyDigest, KeyText};
use clawless_core::time::Millis;
use clawless_core::widget::{Visitor, VisitorToken};
use clawless_core::{ApiError, ApiKey, Clock, ErrorCode, KeyId, KeyKind, Tenant, TenantId};
use clawless_edge::http::RequestHead;
use clawless_edge::http::request::Authorization;
use clawless_store::api_keys;

use crate::caller::Caller;
use crate::platform::{Platform, RateLimit};

/// Whether a route admits visitors of the widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitors {
    /// Keys only.
    Refused,
    /// Visitors too. The route has to check that a visitor stays in its session.
    Admitted,
}

/// Authenticates a request.
///
/// 1. 401 if there is no key: neither a bearer token nor the header `x-api-key`, or a malformed one.
/// 2. 401 if the key's format or checksum is wrong, before any storage read.
/// 3. 429 if the address, or its IPv6 /64, has guessed too many keys, before any storage read.
/// 4. 401 if no usable key has this digest; the response does not tell why.
///
/// The records may be some seconds old. The ledger, which every route calls next, knows whether the
/// key has been revoked or the tenant suspended meanwhile.
///
/// # Errors
/// The statuses above; 403 for a visitor's token; 503 if storage does not answer.
pub async fn authenticate<P: Platform>(
    platform: &P,
    head: &RequestHead,
    visitors: Visitors,
) -> Result<Caller, ApiError> {
    let token = key_text(head)?;
    if token.starts_with(VisitorToken::PREFIX) {
        return match visitors {
            Visitors::Refused => {
                let message = "A visitor's token is not valid for this route.";
                Err(forbidden(message))
            }
            Visitors::Admitted => authenticate_visitor(platform, head, token).await,
        };
    }
    let key = KeyText::parse(token).map_err(|_| invalid_key())?;
    if key.kind() == KeyKind::Admin {
        return Err(invalid_key());
    }
    let (digest, now) = (key.digest(), platform.time().now());
    let memory = platform.memory();
    let (record, tenant) = match memory.key(digest, now) {
        Some(found) => found,
        None => look_up(platform, digest, &head.address()).await?,
    };
    if !record.is_usable(now) {
        return Err(invalid_key());
    }
    Ok(Caller::new(tenant, record, Some(digest)))
}

/// Authenticates a visitor.
///
/// 1. 401 if a visitor's token is forged or has expired, before any storage read. 2. 403 from another
///    origin than the token's. 3. 401 if the public key is no longer usable or has changed.
///
/// # Errors
/// The statuses above; 503 if storage does not answer.
async fn authenticate_visitor<P: Platform>(
    platform: &P,
    head: &RequestHead,
    token: &str,
) -> Result<Caller, ApiError> {
    let now = platform.time().now();
    let signing_key = platform.config().signing_key()?;
    let VisitorToken { key, visitor } =
        VisitorToken::open(signing_key, token, Some(now)).map_err(|_| invalid_key())?;
    if !is_from(head, &visitor.origin) {
        return Err(forbidden("This token is not valid for this origin."));
    }
    // A cached record may be older than the token.
    let cached = platform.memory().key(key, now);
    let cached = cached.filter(|(record, _)| record.version >= visitor.key_version);
    let found = match cached {
        Some(found) => Some(found),
        None => read(platform, key).await?,
    };
    let (record, tenant) = found.ok_or_else(invalid_key)?;
    admit(
        platform,
        Caller::new(tenant, record, Some(key)),
        Some(visitor),
    )
}

/// Whether a request comes from a page of an origin. In reads from a page of the server's own origin, browsers
/// leave out the origin and say so in a header that no page can set.
fn is_from(head: &RequestHead, origin: &str) -> bool {
    if let Some(sent) = head.header("origin") {
        return sent == origin;
    }
    let is_read = matches!(head.method.as_str(), "GET" | "HEAD");
    is_read && head.header("sec-fetch-site") == Some("same-origin") && head.origin() == origin
}

/// The caller, if its key is usable and has not changed since its visitor's token was signed.
fn admit<P: Platform>(
    platform: &P,
    caller: Caller,
    visitor: Option<Visitor>,
) -> Result<Caller, ApiError> {
    let key = caller.key();
    let is_current = visitor.as_ref().is_none_or(|it| it.is_allowed_by(key));
    if is_current && key.is_usable(platform.time().now()) {
        return Ok(caller.with_visitor(visitor));
    }
    Err(invalid_key())
}

/// The caller of deferred work: the key that requested it, in its current state.
///
/// # Errors
/// 401 if the key is deleted or no longer usable, 503 if storage does not answer.
pub async fn of_key<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    key: &KeyId,
) -> Result<Caller, ApiError> {
    let found = api_keys::find_with_tenant(platform.sql(), tenant, key).await?;
    let (record, tenant) = found.ok_or_else(invalid_key)?;
    if !record.is_usable(platform.time().now()) {
        return Err(invalid_key());
    }
    Ok(Caller::new(tenant, record, None))
}

/// Reads a caller's records again, after the ledger has called them stale.
///
/// # Errors
/// 401 if the key is deleted or no longer usable, or has changed since a visitor's token was signed; 503 if
/// storage does not answer.
pub async fn reread<P: Platform>(platform: &P, caller: &Caller) -> Result<Caller, ApiError> {
    let Some(digest) = caller.digest() else {
        return of_key(platform, &caller.tenant().id, &caller.key().id).await;
    };
    platform.memory().forget_key(digest);
    let (record, tenant) = read(platform, digest).await?.ok_or_else(invalid_key)?;
    let fresh = Caller::new(tenant, record, Some(digest));
    admit(platform, fresh, caller.visitor().cloned())
}

/// Looks up a key in storage, unless its address has guessed too often. Only wrong keys count, so
/// that a busy client on a cold isolate is never blocked.
async fn look_up<P: Platform>(
    platform: &P,
    digest: KeyDigest,
    address: &str,
) -> Result<(ApiKey, Tenant), ApiError> {
    let now = platform.time().now();
    if let Some(wait) = platform.memory().blocked_for(address, now) {
        return Err(too_many_guesses(wait));
    }
    if let Some(found) = read(platform, digest).await? {
        return Ok(found);
    }
    if platform.is_within(RateLimit::KeyGuesses, address).await {
        return Err(invalid_key());
    }
    Err(too_many_guesses(platform.memory().block(address, now)))
}

async fn read<P: Platform>(
    platform: &P,
    digest: KeyDigest,
) -> Result<Option<(ApiKey, Tenant)>, ApiError> {
    let found = api_keys::find_by_digest_across_tenants(platform.sql(), digest).await?;
    if let Some((key, tenant)) = &found {
        let now = platform.time().now();
        let memory = platform.memory();
        memory.cache_key(digest, key.clone(), tenant.clone(), now);
    }
    Ok(found)
}

/// The token of `authorization: Bearer …`, or else the header `x-api-key`, which Anthropic's clients
/// send.
fn key_text(head: &RequestHead) -> Result<&str, ApiError> {
    match (head.authorization(), head.header("x-api-key")) {
        (Authorization::Bearer(token), _) => Ok(token),
        (Authorization::Other, _) => Err(invalid_key()),
        (Authorization::Absent, Some(key)) => Ok(key.trim()),
        (Authorization::Absent, None) => Err(ApiError::new(
            ErrorCode::MissingApiKey,
            "You didn't provide an API key. Send it in the header `authorization: Bearer YOUR_KEY`; \
             keys are never read from the URL.",
        )),
    }
}

/// The error for every key that is not usable: unknown, malformed, expired, revoked or another
/// tenant's. It begins with `OpenAI`'s own text, on which some clients rely.
pub(crate) fn invalid_key() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidApiKey,
        "Incorrect API key provided. Check the key, or ask your operator for a new one.",
    )
}

fn forbidden(message: &str) -> ApiError {
    ApiError::new(ErrorCode::PermissionDenied, message)
}

fn too_many_guesses(wait: Millis) -> ApiError {
    ApiError::new(
        ErrorCode::RateLimitExceeded,
        "Too many incorrect API keys came from this address.",
    )
    .retry_after(wait)
}
