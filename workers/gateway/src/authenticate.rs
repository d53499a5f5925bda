//! Step 1: resolves an API key to a [`Caller`].

use clawless_core::keys::{KeyDigest, KeyText};
use clawless_core::time::Millis;
use clawless_core::{ApiError, ApiKey, Clock, ErrorCode, KeyId, KeyKind, Tenant, TenantId};
use clawless_edge::http::RequestHead;
use clawless_edge::http::request::Authorization;
use clawless_store::api_keys;

use crate::caller::Caller;
use crate::platform::Platform;

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
/// The statuses above; 503 if storage does not answer.
pub async fn authenticate<P: Platform>(
    platform: &P,
    head: &RequestHead,
) -> Result<Caller, ApiError> {
    let key = KeyText::parse(key_text(head)?).map_err(|_| invalid_key())?;
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
/// 401 if the key is deleted or no longer usable, 503 if storage does not answer.
pub async fn reread<P: Platform>(platform: &P, caller: &Caller) -> Result<Caller, ApiError> {
    let Some(digest) = caller.digest() else {
        return of_key(platform, &caller.tenant().id, &caller.key().id).await;
    };
    platform.memory().forget_key(digest);
    let (record, tenant) = read(platform, digest).await?.ok_or_else(invalid_key)?;
    if !record.is_usable(platform.time().now()) {
        return Err(invalid_key());
    }
    Ok(Caller::new(tenant, record, Some(digest)))
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
    if platform.may_guess(address).await {
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

fn too_many_guesses(wait: Millis) -> ApiError {
    ApiError::new(
        ErrorCode::RateLimitExceeded,
        "Too many incorrect API keys came from this address.",
    )
    .retry_after(wait)
}
