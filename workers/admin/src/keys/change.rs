//! Changing keys.

use clawless_api::admin::keys::{KeyObject, KeyPatch};
use clawless_core::api_key::StoredKey;
use clawless_core::ledger::Input;
use clawless_core::{ApiError, ApiKey};
use clawless_edge::http::HttpResponse;
use clawless_store::api_keys;

use super::find::find;
use crate::context::{AdminCall, audit_entry, changed_concurrently, ledger_not_notified};
use crate::input;

/// Changes the name and the limits of a key, and the origins of a public one, by JSON merge patch (RFC 7396).
/// Its scopes cannot be changed: create another key.
///
/// 1. 400 that names the invalid parameter. 2. 404 and 409 for the tenant, 404 for the key. 3. An equal
///    record is not stored again, but the ledger is notified again. 4. The database, 409 if another
///    operator was first; then the ledger, 503 if it does not respond. 5. 200: the change applies to the
///    next request.
///
/// # Errors
/// The statuses above.
pub(crate) async fn change(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let patch = KeyPatch::parse(&input::read(call).await?)?;
    let tenant = context.mutable_tenant(call.param("id")).await?.id;
    let before = find(call, &tenant).await?;
    let changed = patch.apply_to(before.key.clone())?;
    let after = if changed == before.key {
        before
    } else {
        let after = StoredKey {
            key: ApiKey {
                version: before.key.version + 1,
                ..changed
            },
            ..before.clone()
        };
        let id = before.key.id.as_str();
        let (old, new) = (
            KeyObject::from(before.clone()),
            KeyObject::from(after.clone()),
        );
        let entry = audit_entry(call, "key.update", id, Some(&old), Some(&new))?;
        if !api_keys::change(&context.sql, &tenant, &before.key, &after.key, &entry).await? {
            return Err(changed_concurrently());
        }
        after
    };
    let input = Input::ReviseKey {
        key_id: after.key.id.clone(),
        version: after.key.version,
    };
    if !context.notify_ledger(&tenant, input).await {
        return Err(ledger_not_notified("The key is changed"));
    }
    HttpResponse::of(&KeyObject::from(after))
}
