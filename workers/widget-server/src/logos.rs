//! `/widget/logos/{digest}`: the logos that site owners have uploaded.

use std::borrow::Cow;

use clawless_core::ApiError;
use clawless_core::keys::KeyDigest;
use clawless_edge::http::{Body, HttpResponse};
use clawless_store::widgets;

use crate::files::{not_found, public};
use crate::service::WidgetCall;

/// Even if a browser took an image for a document, that document could do nothing.
const POLICY: &str = "default-src 'none'; sandbox";

/// Serves a logo. Its URL names its content, so it never changes.
///
/// # Errors
/// 404 if there is no such logo, 503 if the database does not respond.
pub(crate) async fn show(call: &WidgetCall) -> Result<HttpResponse, ApiError> {
    let digest = KeyDigest::parse_hex(call.param("digest")).ok_or_else(not_found)?;
    let found = widgets::find_logo_across_tenants(&call.platform.sql, digest).await?;
    let logo = found.ok_or_else(not_found)?;
    let body = Body::Bytes(logo.format.content_type(), Cow::Owned(logo.bytes));
    Ok(public(HttpResponse::new(200, body))
        .with_header("cache-control", "public, max-age=86400, immutable")
        .with_header("content-security-policy", POLICY))
}
