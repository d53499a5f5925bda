//! Keys are rotated: a new one takes the place of an old one, and for a while both work.

use clawless_core::keys::KeyText;
use clawless_core::ledger::Input;
use clawless_core::time::{Millis, Timestamp};
use clawless_core::{ApiError, ApiKey, ErrorCode, KeyId, TenantId};
use clawless_edge::response::HttpResponse;
use clawless_store::api_keys::{self, StoredKey};
use serde::Deserialize;

use super::view::{Minted, View};
use crate::context::{AdminContext, overtaken};
use crate::input::{self, invalid};

/// How long both work where the request does not say: a day, in seconds.
const GRACE: u64 = 24 * 60 * 60;
/// The longest that both can work: 90 days, in seconds.
const MAX_GRACE: u64 = 90 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    #[serde(default)]
    grace_seconds: Option<u64>,
    #[serde(default)]
    expires_at: Option<u64>,
}

/// Mints a key with the name, scopes and origins of another, which ends when its grace is over.
///
/// 1. 400 that names the parameter at fault. 2. 404 and 409 for the tenant, 404 for the key.
/// 3. 409 where the key is revoked, expired or rotated already; in the last case its ledger is told
///    again. 4. The database, then the ledger. 5. 201, in which `in_force` says whether the ledger
///    knows.
///
/// # Errors
/// The statuses above.
pub(crate) async fn rotate(
    context: &AdminContext,
    tenant: &str,
    key: &str,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    let wanted: Rotate = input::read(body)?;
    let grace = wanted.grace_seconds.unwrap_or(GRACE);
    if grace > MAX_GRACE {
        let message = format!("`grace_seconds` is at most {MAX_GRACE}.");
        return Err(invalid("grace_seconds", message));
    }
    let tenant = context.lasting_tenant(tenant).await?.id;
    let old = super::find(context, &tenant, key).await?;
    refuse_ended(context, &tenant, &old).await?;
    let ends = context.now.plus(Millis::from_secs(grace));
    let ends = old.key.expires_at.map_or(ends, |end| end.min(ends));
    let new = ApiKey {
        id: KeyId::generate(context.now, &context.entropy),
        expires_at: match input::end(wanted.expires_at, context.now)? {
            Some(end) => Some(end),
            None => same_life(&old.key, context.now),
        },
        version: 1,
        created_at: context.now,
        ..old.key.clone()
    };
    let after = StoredKey {
        key: ApiKey {
            expires_at: Some(ends),
            ..old.key.clone()
        },
        successor_id: Some(new.id.clone()),
        ..old.clone()
    };
    let text = KeyText::generate(new.kind, &context.entropy);
    let before = View::from(old.clone());
    let replaced = View::from(after);
    let entry = context.entry(
        "key.rotate",
        old.key.id.as_str(),
        Some(&before),
        Some(&replaced),
    )?;
    let fresh = (&new, text.digest());
    if !api_keys::rotate(&context.sql, &tenant, &old.key, ends, fresh, &entry).await? {
        return Err(overtaken());
    }
    let mut minted = Minted::new(View::from(StoredKey::new(new)), &text);
    minted.replaces = Some(replaced);
    minted.in_force = Some(revise(context, &tenant, &old.key, old.key.version + 1).await);
    minted.answer()
}

/// A key that expires is followed by one that lives as long.
fn same_life(old: &ApiKey, now: Timestamp) -> Option<Timestamp> {
    old.expires_at
        .map(|end| now.plus(end.since(old.created_at)))
}

async fn refuse_ended(
    context: &AdminContext,
    tenant: &TenantId,
    old: &StoredKey,
) -> Result<(), ApiError> {
    let reason = if let Some(successor) = &old.successor_id {
        revise(context, tenant, &old.key, old.key.version).await;
        format!("This key was rotated before: {successor} took its place.")
    } else if old.key.is_usable(context.now) {
        return Ok(());
    } else {
        "This key has ended: mint a new one.".to_owned()
    };
    Err(ApiError::new(ErrorCode::Conflict, reason))
}

/// Tells the ledger that copies of the record are stale; `false` where it cannot be told.
async fn revise(context: &AdminContext, tenant: &TenantId, key: &ApiKey, version: u64) -> bool {
    let key_id = key.id.clone();
    context
        .tell(tenant, Input::ReviseKey { key_id, version })
        .await
}
