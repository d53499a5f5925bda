//! Changing the settings of a widget.

use clawless_api::admin::widgets::{WidgetPatch, invalid_public_key};
use clawless_core::ApiError;
use clawless_core::widget::UserTokenSettings;
use clawless_edge::http::HttpResponse;
use clawless_edge::signature;
use clawless_store::widgets::{self, Widget};

use super::find::{find, notify_ledger, object};
use crate::context::{AdminCall, audit_entry, changed_concurrently};
use crate::input;

/// Changes the settings of a public key's widget, by JSON merge patch (RFC 7396).
///
/// 1. 400 that names the invalid parameter. 2. 404 and 409 for the tenant and the key. 3. Equal settings are
///    not stored again, but the ledger is notified again. 4. The database, 409 if another operator was first;
///    then the ledger, 503 if it does not respond. 5. 200: visitors see the change with their next session.
///
/// # Errors
/// The statuses above.
pub(crate) async fn change(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let patch = WidgetPatch::parse(&input::read(call).await?)?;
    let tenant = context.mutable_tenant(call.param("id")).await?.id;
    let (key, before) = find(call, &tenant).await?;
    let after = Widget {
        settings: patch.apply_to(&before.settings)?,
        ..before.clone()
    };
    if let Some(users) = &after.settings.user_tokens {
        check_public_key(users).await?;
    }
    let mut version = key.version;
    if after != before {
        let (old, new) = (object(&key, &before), object(&key, &after));
        let id = key.id.as_str();
        let entry = audit_entry(call, "widget.update", id, Some(&old), Some(&new))?;
        let (sql, now) = (&context.sql, context.now);
        if !widgets::put_settings(sql, &tenant, &key, &after.settings, now, &entry).await? {
            return Err(changed_concurrently());
        }
        version += 1;
    }
    notify_ledger(call, &tenant, &key, version).await?;
    HttpResponse::of(&object(&key, &after))
}

async fn check_public_key(users: &UserTokenSettings) -> Result<(), ApiError> {
    let der = users.public_key_der().unwrap_or_default();
    if signature::is_public_key(users.algorithm, &der).await {
        return Ok(());
    }
    Err(invalid_public_key())
}
