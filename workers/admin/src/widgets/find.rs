//! The public key that a path names, and its widget.

use clawless_api::admin::widgets::WidgetObject;
use clawless_core::ledger::Input;
use clawless_core::{ApiError, ApiKey, ErrorCode, KeyId, KeyKind, TenantId};
use clawless_store::api_keys;
use clawless_store::widgets::{self, Widget};

use crate::context::{AdminCall, ledger_not_notified, not_found};

/// Finds the public key of the path's parameter `key` and its widget.
///
/// # Errors
/// 404 if the tenant has no such key, 409 if it is not public.
pub(super) async fn find(
    call: &AdminCall,
    tenant: &TenantId,
) -> Result<(ApiKey, Widget), ApiError> {
    let sql = &call.platform.sql;
    let id: KeyId = call.param("key").parse().map_err(|_| not_found("key"))?;
    let found = api_keys::find(sql, tenant, &id).await?;
    let key = found.ok_or_else(|| not_found("key"))?.key;
    if key.kind != KeyKind::Public {
        let message = "Only a public key has a widget.";
        return Err(ApiError::new(ErrorCode::Conflict, message));
    }
    let widget = widgets::find(sql, tenant, &key.id).await?;
    Ok((key, widget))
}

/// The widget of a key, as responses show it.
pub(super) fn object<'a>(key: &'a ApiKey, widget: &'a Widget) -> WidgetObject<'a> {
    WidgetObject::new(&key.id, &widget.settings, widget.logo)
}

/// Makes copies of the key's record stale, so that visitors open a new session and see the change.
///
/// # Errors
/// 503 if the ledger does not respond.
pub(super) async fn notify_ledger(
    call: &AdminCall,
    tenant: &TenantId,
    key: &ApiKey,
    version: u64,
) -> Result<(), ApiError> {
    let key_id = key.id.clone();
    let input = Input::ReviseKey { key_id, version };
    if call.platform.notify_ledger(tenant, input).await {
        return Ok(());
    }
    Err(ledger_not_notified("The widget is changed"))
}
