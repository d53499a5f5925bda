//! Changing tenants: as a whole by PUT, in parts by PATCH.

use clawless_api::admin::tenants::{TenantBody, TenantObject, TenantPatch};
use clawless_core::admin_role::{AdminAccess, RoleName};
use clawless_core::ledger::{Input, LedgerConfig};
use clawless_core::{ApiError, ErrorCode, Tenant};
use clawless_edge::http::HttpResponse;
use clawless_store::tenants;

use super::response::{etag, respond};
use crate::context::{
    AdminCall, audit_entry, changed_concurrently, check_models, ledger_not_notified,
};
use crate::input;

/// Replaces all settings of a tenant; absent ones get their defaults.
///
/// # Errors
/// As [`change`].
pub(crate) async fn put(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let settings = TenantBody::parse(&input::read(call).await?)?;
    let tenant = call.platform.mutable_tenant(call.param("id")).await?;
    change(call, tenant, settings).await
}

/// Changes the settings in the body, by JSON merge patch (RFC 7396): `null` resets a setting to its
/// default.
///
/// # Errors
/// As [`change`].
pub(crate) async fn patch(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let patch = TenantPatch::parse(&input::read(call).await?)?;
    let tenant = call.platform.mutable_tenant(call.param("id")).await?;
    let settings = patch.merge_into(&tenant)?;
    change(call, tenant, settings).await
}

/// 1. 412 if `if-match` names another version. 2. 400 that names the invalid parameter, 403 for a
///    setting that the caller's role may not change. 3. Equal settings are not stored again, but the
///    ledger is notified again. 4. The database, 409 or 412 if another operator was first; then the
///    ledger, 503 if it does not respond. 5. 200: the change applies to the next request.
async fn change(
    call: &AdminCall,
    before: Tenant,
    settings: TenantBody,
) -> Result<HttpResponse, ApiError> {
    let (context, if_match) = (&call.platform, call.head.header("if-match"));
    if !matches(if_match, &before) {
        return Err(outdated());
    }
    let changed = settings.apply_to(before.clone())?;
    check_grants(call, &before, &changed)?;
    check_models(call, Some(&before), &changed)?;
    let after = if changed == before {
        before
    } else {
        let after = Tenant {
            version: before.version + 1,
            updated_at: context.now,
            ..changed
        };
        let (old, new) = (TenantObject::from(&before), TenantObject::from(&after));
        let entry = audit_entry(
            call,
            "tenant.update",
            after.id.as_str(),
            Some(&old),
            Some(&new),
        )?;
        if !tenants::update(&context.sql, &after, &entry).await? {
            return Err(if_match.map_or_else(changed_concurrently, |_| outdated()));
        }
        after
    };
    let config = LedgerConfig::from(&after);
    if !context
        .notify_ledger(&after.id, Input::Configure(config))
        .await
    {
        return Err(ledger_not_notified("The tenant is changed"));
    }
    respond(&after)
}

/// Refuses a change of what a tenant may use by the tenant's own admin.
fn check_grants(call: &AdminCall, before: &Tenant, after: &Tenant) -> Result<(), ApiError> {
    let is_global = call.caller.role.tenant().is_none();
    match after.changed_grant(before).filter(|_| !is_global) {
        None => Ok(()),
        Some(setting) => Err(ApiError::new(
            ErrorCode::PermissionDenied,
            format!(
                "Changing `{setting}` needs {}. Your token has the role `{}`.",
                AdminAccess::Global(RoleName::Operator).describe(),
                call.caller.role.name().as_str()
            ),
        )
        .param(setting)),
    }
}

/// Whether the tenant has the version that `if-match` names; without it any version matches.
pub(super) fn matches(if_match: Option<&str>, tenant: &Tenant) -> bool {
    let Some(expected) = if_match else {
        return true;
    };
    let present = etag(tenant);
    let mut tags = expected.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag == present)
}

/// The error if `if-match` names another version.
pub(super) fn outdated() -> ApiError {
    ApiError::new(
        ErrorCode::PreconditionFailed,
        "The tenant has changed since it was read. Read it again before you retry.",
    )
}
