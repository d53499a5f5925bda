//! Setting and removing the logo of a widget.

use clawless_api::admin::widgets::parse_logo;
use clawless_core::ApiError;
use clawless_core::widget::Logo;
use clawless_edge::http::HttpResponse;
use clawless_store::widgets::{self, Widget};

use super::find::{find, notify_ledger, object};
use crate::context::{AdminCall, audit_entry, changed_concurrently};
use crate::input;

/// Sets the logo: `{"image": "…"}`, a small PNG, JPEG or WebP image in base64.
///
/// 1. 400 if it is not such an image. 2. As [`super::change()`] from there on.
///
/// # Errors
/// The statuses above.
pub(crate) async fn put(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let logo = parse_logo(&input::read(call).await?)?;
    replace(call, Some(logo)).await
}

/// Removes the logo.
///
/// # Errors
/// 400 for a body with members, and those of [`put`].
pub(crate) async fn delete(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    input::read_empty(call).await?;
    replace(call, None).await
}

async fn replace(call: &AdminCall, logo: Option<Logo>) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let tenant = context.mutable_tenant(call.param("id")).await?.id;
    let (key, before) = find(call, &tenant).await?;
    let stored = logo.as_ref().map(|logo| (logo, logo.digest()));
    let after = Widget {
        logo: stored.map(|(logo, digest)| (digest, logo.format)),
        ..before.clone()
    };
    let mut version = key.version;
    if after != before {
        let (old, new) = (object(&key, &before), object(&key, &after));
        let id = key.id.as_str();
        let entry = audit_entry(call, "widget.logo", id, Some(&old), Some(&new))?;
        let (sql, now) = (&context.sql, context.now);
        if !widgets::put_logo(sql, &tenant, &key, stored, now, &entry).await? {
            return Err(changed_concurrently());
        }
        version += 1;
    }
    notify_ledger(call, &tenant, &key, version).await?;
    HttpResponse::of(&object(&key, &after))
}
