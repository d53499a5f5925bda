//! Stage 1: from a bearer token to a [`Caller`].

use clawless_core::keys::KeyText;
use clawless_core::tenant::TenantStatus;
use clawless_core::{ApiError, Clock, ErrorCode, KeyKind};
use clawless_edge::incoming::Head;
use clawless_store::api_keys;

use crate::caller::Caller;
use crate::platform::Platform;

/// Finds out who asks.
///
/// 1. 401 where the header is absent, doubled or not a bearer's.
/// 2. 401 where the key's shape or checksum is wrong, before storage is asked.
/// 3. 401 where no usable key of a live tenant has this digest; the answer does not tell which.
/// 4. 403 where the tenant is suspended.
///
/// # Errors
/// The statuses above; 503 where storage does not answer.
pub async fn authenticate<P: Platform>(platform: &P, head: &Head) -> Result<Caller, ApiError> {
    let key = KeyText::parse(bearer(head)?).map_err(|_| incorrect())?;
    if key.kind() == KeyKind::Admin {
        return Err(incorrect());
    }
    let found = api_keys::find_by_digest_across_tenants(platform.sql(), key.digest()).await?;
    let Some((record, tenant)) = found else {
        return Err(incorrect());
    };
    if !record.is_usable(platform.time().now()) {
        return Err(incorrect());
    }
    match tenant.status {
        TenantStatus::Active => Ok(Caller::new(tenant, record)),
        TenantStatus::Suspended => Err(ApiError::new(
            ErrorCode::TenantSuspended,
            "This account is suspended. Ask the operator of this service.",
        )),
        TenantStatus::Deleting => Err(incorrect()),
    }
}

/// The token of `authorization: Bearer …`. A repeated header arrives joined by a comma, which no
/// key holds.
fn bearer(head: &Head) -> Result<&str, ApiError> {
    let Some(value) = head.header("authorization") else {
        return Err(ApiError::new(
            ErrorCode::MissingApiKey,
            "You didn't provide an API key. Send it in the header `authorization: Bearer YOUR_KEY`; \
             keys are never read from the URL.",
        ));
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(incorrect()),
    }
}

/// One answer for every key that does not work: unknown, malformed, expired, revoked or another
/// tenant's. It begins with `OpenAI`'s own words, on which some clients rely.
fn incorrect() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidApiKey,
        "Incorrect API key provided. Check the key, or ask your operator for a new one.",
    )
}
