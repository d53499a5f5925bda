//! `/widget/demo` and `/widget/configure`: pages of the widget server itself, under a strict policy.

use std::borrow::Cow;

use clawless_core::ApiError;
use clawless_edge::http::{Body, HttpResponse};

use crate::files::{content_type, not_found};
use crate::service::WidgetCall;

/// The scripts and styles of the pages. `theme.js` is the widget's own module.
const FILES: [(&str, &str); 5] = [
    ("demo.js", include_str!("../pages/demo.js")),
    ("configure.js", include_str!("../pages/configure.js")),
    ("contrast.js", include_str!("../pages/contrast.js")),
    (
        "theme.js",
        include_str!(concat!(env!("OUT_DIR"), "/theme.js")),
    ),
    ("pages.css", include_str!("../pages/pages.css")),
];

/// Nothing from elsewhere, no inline script or style, no frame of another site. `clawless` is the policy of
/// the widget's loader, `page` that of these pages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types clawless page";

/// The page with the widget of the key in its fragment.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn demo(_: &WidgetCall) -> Result<HttpResponse, ApiError> {
    Ok(page(include_str!("../pages/demo.html")))
}

/// The page on which a site owner chooses settings and copies the script tag.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn configure(_: &WidgetCall) -> Result<HttpResponse, ApiError> {
    Ok(page(include_str!("../pages/configure.html")))
}

/// A script or style of the pages.
///
/// # Errors
/// 404 for an unknown name.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn file(call: &WidgetCall) -> Result<HttpResponse, ApiError> {
    let name = call.param("file");
    let found = FILES.iter().find(|(file, _)| *file == name);
    let (_, text) = found.ok_or_else(not_found)?;
    let content_type = content_type(name).ok_or_else(not_found)?;
    Ok(own(content_type, text))
}

fn page(html: &'static str) -> HttpResponse {
    own("text/html; charset=utf-8", html)
        .with_header("content-security-policy", POLICY)
        .with_header("referrer-policy", "no-referrer")
        .with_header("x-frame-options", "DENY")
}

fn own(content_type: &'static str, text: &'static str) -> HttpResponse {
    let body = Body::Bytes(content_type, Cow::Borrowed(text.as_bytes()));
    HttpResponse::new(200, body)
        .with_header("cache-control", "no-cache")
        .with_header("x-content-type-options", "nosniff")
}
