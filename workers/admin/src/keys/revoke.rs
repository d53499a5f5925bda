//! Revoking keys.

use clawless_api::admin::keys::KeyObject;
use clawless_core::api_key::StoredKey;
use clawless_core::ledger::Input;
use clawless_core::{ApiError, ApiKey};
use clawless_edge::http::HttpResponse;
use clawless_store::api_keys;

use super::find::find;
use crate::context::{AdminCall, audit_entry, changed_concurrently, ledger_not_notified};
use crate::input;

/// Revokes a key: in the database first, then in the ledger, which refuses it at the next request on
/// every gateway. Repeating it is safe, and necessary after a 503.
///
/// 1. 400 for a body with members. 2. 404 for the tenant and the key. 3. 409 if another operator
///    changed it at the same moment. 4. 503 if the ledger does not respond. 5. 200.
///
/// # Errors
/// The statuses above.
pub(crate) async fn revoke(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    input::read_empty(call).await?;
    let context = &call.platform;
    let tenant = context.tenant(call.param("id")).await?.id;
    let found = find(call, &tenant).await?;
    let revoked = if found.key.revoked_at.is_some() {
        found
    } else {
        let revoked = StoredKey {
            key: ApiKey {
                revoked_at: Some(context.now),
                ..found.key.clone()
            },
            ..found.clone()
        };
        let id = found.key.id.as_str();
        let before = KeyObject::from(found.clone());
        let after = KeyObject::from(revoked.clone());
        let entry = audit_entry(call, "key.revoke", id, Some(&before), Some(&after))?;
        if !api_keys::revoke(&context.sql, &tenant, &found.key, context.now, &entry).await? {
            return Err(changed_concurrently());
        }
        revoked
    };
    let key_id = revoked.key.id.clone();
    if !context
        .notify_ledger(&tenant, Input::Revoke { key_id })
        .await
    {
        return Err(ledger_not_notified("The key is revoked"));
    }
    HttpResponse::of(&KeyObject::from(revoked))
}
