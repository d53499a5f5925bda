//! Keys are revoked.

use clawless_core::ledger::Input;
use clawless_core::{ApiError, ApiKey};
use clawless_edge::response::HttpResponse;
use clawless_store::api_keys::{self, StoredKey};

use super::view::View;
use crate::context::{AdminContext, half_done, overtaken};
use crate::input;

/// Ends a key for ever: the database first, then the ledger, which refuses it at the next request
/// on every gateway. May be repeated, and is to be repeated after a 503.
///
/// 1. 400 for a body with anything in it. 2. 404 for the tenant and the key. 3. 409 where another
///    operator changed it at the same moment. 4. 503 where the ledger was not told. 5. 200.
///
/// # Errors
/// The statuses above.
pub(crate) async fn revoke(
    context: &AdminContext,
    tenant: &str,
    key: &str,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    input::nothing(body)?;
    let tenant = context.tenant(tenant).await?.id;
    let found = super::find(context, &tenant, key).await?;
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
        let (before, after) = (View::from(found.clone()), View::from(revoked.clone()));
        let entry = context.entry("key.revoke", id, Some(&before), Some(&after))?;
        if !api_keys::revoke(&context.sql, &tenant, &found.key, context.now, &entry).await? {
            return Err(overtaken());
        }
        revoked
    };
    let key_id = revoked.key.id.clone();
    if !context.tell(&tenant, Input::Revoke { key_id }).await {
        return Err(half_done("The key is revoked"));
    }
    HttpResponse::of(&View::from(revoked))
}
