//! Stage 1: from a bearer token to a [`Caller`].

use clawless_core::keys::{KeyDigest, KeyText};
use clawless_core::time::Millis;
use clawless_core::{ApiError, ApiKey, Clock, ErrorCode, KeyId, KeyKind, Tenant, TenantId};
use clawless_edge::request::{Authorization, RequestHead};
use clawless_store::api_keys;

use crate::caller::Caller;
use crate::platform::Platform;

/// Finds out who asks.
///
/// 1. 401 where the header is absent, doubled or not a bearer's.
/// 2. 401 where the key's shape or checksum is wrong, before storage is asked.
/// 3. 429 where the address has guessed too many keys, before storage is asked.
/// 4. 401 where no usable key has this digest; the answer does not tell why.
///
/// The records may be some seconds old. Whether the key is revoked meanwhile or the tenant
/// suspended is for the ledger to say, which every route asks next.
///
/// # Errors
/// The statuses above; 503 where storage does not answer.
pub async fn authenticate<P: Platform>(
    platform: &P,
    head: &RequestHead,
) -> Result<Caller, ApiError> {
    let key = KeyText::parse(bearer(head)?).map_err(|_| incorrect())?;
    if key.kind() == KeyKind::Admin {
        return Err(incorrect());
    }
    let (digest, now) = (key.digest(), platform.time().now());
    let memory = platform.memory();
    let (record, tenant) = match memory.key(digest, now) {
        Some(found) => found,
        None => look_up(platform, digest, head.header("cf-connecting-ip")).await?,
    };
    if !record.is_usable(now) {
        return Err(incorrect());
    }
    Ok(Caller::new(tenant, record, Some(digest)))
}

/// A caller on whose behalf something is done later: the key that asked for it, as it is now.
///
/// # Errors
/// 401 where the key is gone or no longer usable, 503 where storage does not answer.
pub async fn of_key<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    key: &KeyId,
) -> Result<Caller, ApiError> {
    let found = api_keys::find_with_tenant(platform.sql(), tenant, key).await?;
    let (record, tenant) = found.ok_or_else(incorrect)?;
    if !record.is_usable(platform.time().now()) {
        return Err(incorrect());
    }
    Ok(Caller::new(tenant, record, None))
}

/// Reads a caller's records again, after the ledger has called them stale.
///
/// # Errors
/// 401 where the key is gone or no longer usable, 503 where storage does not answer.
pub async fn reread<P: Platform>(platform: &P, caller: &Caller) -> Result<Caller, ApiError> {
    let Some(digest) = caller.digest() else {
        return of_key(platform, &caller.tenant().id, &caller.key().id).await;
    };
    platform.memory().forget_key(digest);
    let (record, tenant) = read(platform, digest).await?.ok_or_else(incorrect)?;
    if !record.is_usable(platform.time().now()) {
        return Err(incorrect());
    }
    Ok(Caller::new(tenant, record, Some(digest)))
}

/// Looks a key up in storage, unless its address has guessed too often. Only wrong guesses count,
/// so that a busy client on a cold isolate is never taken for a guesser.
async fn look_up<P: Platform>(
    platform: &P,
    digest: KeyDigest,
    address: Option<&str>,
) -> Result<(ApiKey, Tenant), ApiError> {
    let now = platform.time().now();
    let address = address.unwrap_or("unknown");
    if let Some(wait) = platform.memory().blocked_for(address, now) {
        return Err(too_many_guesses(wait));
    }
    if let Some(found) = read(platform, digest).await? {
        return Ok(found);
    }
    if platform.may_guess(address).await {
        return Err(incorrect());
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
        memory.remember_key(digest, key.clone(), tenant.clone(), now);
    }
    Ok(found)
}

/// The token of `authorization: Bearer …`.
fn bearer(head: &RequestHead) -> Result<&str, ApiError> {
    match head.authorization() {
        Authorization::Bearer(token) => Ok(token),
        Authorization::Other => Err(incorrect()),
        Authorization::Absent => Err(ApiError::new(
            ErrorCode::MissingApiKey,
            "You didn't provide an API key. Send it in the header `authorization: Bearer YOUR_KEY`; \
             keys are never read from the URL.",
        )),
    }
}

/// One answer for every key that does not work: unknown, malformed, expired, revoked or another
/// tenant's. It begins with `OpenAI`'s own words, on which some clients rely.
pub(crate) fn incorrect() -> ApiError {
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
