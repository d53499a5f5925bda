//! `/widget/logos/{digest}`: the logos that site owners have uploaded.

use std::borrow::Cow;
use std::rc::Rc;

use clawless_core::keys::KeyDigest;
use clawless_core::widget::MAX_LOGO_BYTES;
use clawless_core::{ApiError, Clock};
use clawless_edge::http::{Body, HttpResponse, Load, REQUEST_LEASE};
use clawless_edge::time::EdgeTime;
use clawless_store::widgets;

use crate::files::{not_found, public};
use crate::service::WidgetCall;

/// Even if a browser took an image for a document, that document could do nothing.
const POLICY: &str = "default-src 'none'; sandbox";

/// The copies of a logo while it is read: its row in base64, and its bytes.
const LOGO_COPIES: usize = 3;

/// Serves a logo. Its URL names its content, so it never changes.
///
/// # Errors
/// 404 if there is no such logo; 503 if the database does not respond, or if this isolate holds as many logos as
/// it can.
pub(crate) async fn show(call: &WidgetCall) -> Result<HttpResponse, ApiError> {
    let digest = KeyDigest::parse_hex(call.param("digest")).ok_or_else(not_found)?;
    let (load, now) = (Load::of_isolate(), EdgeTime.now());
    // Until the client has taken it. Logos are public, so no tenant has a share.
    let permit = load.hold("", LOGO_COPIES * MAX_LOGO_BYTES, now, REQUEST_LEASE)?;
    let found = widgets::find_logo_across_tenants(&call.platform.sql, digest).await?;
    let logo = found.ok_or_else(not_found)?;
    let body = Body::Bytes(logo.format.content_type(), Cow::Owned(logo.bytes));
    Ok(public(HttpResponse::new(200, body))
        .with_permit(Rc::new(permit))
        .with_header("cache-control", "public, max-age=86400, immutable")
        .with_header("content-security-policy", POLICY))
}
