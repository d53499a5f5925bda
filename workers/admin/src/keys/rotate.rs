//! Rotating keys: a new key replaces an old one, and both work during a grace period.

use clawless_api::admin::keys::{CreatedKey, KeyObject, KeyRotation};
use clawless_core::api_key::StoredKey;
use clawless_core::keys::KeyText;
use clawless_core::ledger::Input;
use clawless_core::time::Timestamp;
use clawless_core::{ApiError, ApiKey, ErrorCode, KeyId, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_store::api_keys;

use super::find::find;
use crate::context::{AdminCall, audit_entry, changed_concurrently};
use crate::input;

/// Creates a key with the name, scopes and origins of another, which expires after its grace period.
///
/// 1. 400 that names the invalid parameter. 2. 404 and 409 for the tenant, 404 for the key.
/// 3. 409 if the key is revoked, expired or rotated already; in the last case the ledger is
///    notified again. 4. The database, then the ledger. 5. 201; `in_force` says whether the ledger
///    accepted it.
///
/// # Errors
/// The statuses above.
pub(crate) async fn rotate(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let rotation = KeyRotation::parse(&input::read(call).await?, context.now)?;
    let tenant = context.mutable_tenant(call.param("id")).await?.id;
    let old = find(call, &tenant).await?;
    require_usable(call, &tenant, &old).await?;
    let grace_end = context.now.plus(rotation.grace);
    let old_expiry = old.key.expires_at;
    let old_expiry = old_expiry.map_or(grace_end, |expiry| expiry.min(grace_end));
    let new = ApiKey {
        id: KeyId::generate(context.now, &context.entropy),
        expires_at: rotation
            .expires_at
            .or_else(|| same_lifetime(&old.key, context.now)),
        version: 1,
        created_at: context.now,
        ..old.key.clone()
    };
    let after = StoredKey {
        key: ApiKey {
            expires_at: Some(old_expiry),
            ..old.key.clone()
        },
        successor_id: Some(new.id.clone()),
        ..old.clone()
    };
    let text = KeyText::generate(new.kind, &context.entropy);
    let before = KeyObject::from(old.clone());
    let replaced = KeyObject::from(after);
    let entry = audit_entry(
        call,
        "key.rotate",
        old.key.id.as_str(),
        Some(&before),
        Some(&replaced),
    )?;
    let (sql, digest) = (&context.sql, text.digest());
    if !api_keys::rotate(sql, &tenant, &old.key, old_expiry, (&new, digest), &entry).await? {
        return Err(changed_concurrently());
    }
    let in_force = notify_ledger(call, &tenant, &old.key, old.key.version + 1).await;
    let object = KeyObject::from(StoredKey::new(new));
    let created = CreatedKey::new(object, text.reveal()).replacing(replaced, in_force);
    Ok(HttpResponse::of(&created)?.with_status(201))
}

/// The expiry of a key with the same lifetime as an old one.
fn same_lifetime(old: &ApiKey, now: Timestamp) -> Option<Timestamp> {
    old.expires_at
        .map(|expiry| now.plus(expiry.since(old.created_at)))
}

async fn require_usable(
    call: &AdminCall,
    tenant: &TenantId,
    old: &StoredKey,
) -> Result<(), ApiError> {
    let reason = if let Some(successor) = &old.successor_id {
        notify_ledger(call, tenant, &old.key, old.key.version).await;
        format!("This key was rotated before: {successor} replaced it.")
    } else if old.key.is_usable(call.platform.now) {
        return Ok(());
    } else {
        "This key is revoked or has expired: create a new one.".to_owned()
    };
    Err(ApiError::new(ErrorCode::Conflict, reason))
}

/// Makes copies of the key's record stale; `false` if the ledger does not respond.
async fn notify_ledger(call: &AdminCall, tenant: &TenantId, key: &ApiKey, version: u64) -> bool {
    let key_id = key.id.clone();
    let input = Input::ReviseKey { key_id, version };
    call.platform.notify_ledger(tenant, input).await
}
