//! Tenants are changed: as a whole by PUT, in parts by PATCH.

use clawless_core::ledger::{Input, LedgerConfig};
use clawless_core::{ApiError, ErrorCode, Tenant};
use clawless_edge::response::HttpResponse;
use clawless_store::tenants;
use serde_json::Value;

use super::input::Settable;
use super::view::{self, View, etag};
use crate::context::{AdminContext, half_done, overtaken};
use crate::input;

/// Sets all of a tenant; what is absent takes its default.
///
/// # Errors
/// As [`change`].
pub(crate) async fn put(
    context: &AdminContext,
    tenant: &str,
    if_match: Option<&str>,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    let wanted: Settable = input::read(body)?;
    let tenant = context.lasting_tenant(tenant).await?;
    change(context, tenant, if_match, wanted).await
}

/// Sets what the body names and leaves the rest, by JSON merge patch (RFC 7396): `null` takes a
/// member away, so that its default holds.
///
/// # Errors
/// As [`change`].
pub(crate) async fn patch(
    context: &AdminContext,
    tenant: &str,
    if_match: Option<&str>,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    let patch: Value = input::read(body)?;
    if !patch.is_object() {
        let message = "The body must be a JSON object.";
        return Err(ApiError::new(ErrorCode::InvalidType, message));
    }
    let tenant = context.lasting_tenant(tenant).await?;
    let present = serde_json::to_value(view::Settable::from(&tenant));
    let merged = merge(present.map_err(ApiError::internal)?, patch);
    let wanted: Settable = input::read(merged.to_string().as_bytes())?;
    change(context, tenant, if_match, wanted).await
}

/// 1. 412 where `if-match` names another version. 2. 400 that names the parameter at fault. 3. What
///    changes nothing is stored no second time, but its ledger is told again. 4. The database, 409
///    or 412 where another was quicker; then the ledger, 503 where it cannot be told. 5. 200: it
///    holds at the next request.
async fn change(
    context: &AdminContext,
    before: Tenant,
    if_match: Option<&str>,
    wanted: Settable,
) -> Result<HttpResponse, ApiError> {
    if !matches(if_match, &before) {
        return Err(outdated());
    }
    let same = wanted.onto(before.clone())?;
    let after = if same == before {
        before
    } else {
        let after = Tenant {
            version: before.version + 1,
            updated_at: context.now,
            ..same
        };
        let (old, new) = (View::from(&before), View::from(&after));
        let entry = context.entry("tenant.update", after.id.as_str(), Some(&old), Some(&new))?;
        if !tenants::update(&context.sql, &after, &entry).await? {
            return Err(if_match.map_or_else(overtaken, |_| outdated()));
        }
        after
    };
    let config = LedgerConfig::from(&after);
    if !context.tell(&after.id, Input::Configure(config)).await {
        return Err(half_done("The tenant is changed"));
    }
    view::answer(&after)
}

/// Whether the tenant is still the one that the operator has read; without `if-match` any is.
pub(super) fn matches(if_match: Option<&str>, tenant: &Tenant) -> bool {
    let Some(known) = if_match else { return true };
    let present = etag(tenant);
    let mut tags = known.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag == present)
}

/// The refusal of a change to a tenant that has another version by now.
pub(super) fn outdated() -> ApiError {
    ApiError::new(
        ErrorCode::PreconditionFailed,
        "The tenant has changed since it was read. Read it again and decide anew.",
    )
}

/// RFC 7396, word for word. What comes in nests no deeper than a body may.
fn merge(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch;
    };
    let mut merged = match target {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            merged.remove(&name);
        } else {
            let old = merged.remove(&name).unwrap_or(Value::Null);
            merged.insert(name, merge(old, value));
        }
    }
    Value::Object(merged)
}
