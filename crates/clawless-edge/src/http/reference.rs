//! The API's description and its reference page, which `cargo xtask openapi` generates.

use super::response::{Body, HttpResponse, JSON};

/// The content type of the page.
const HTML: &str = "text/html; charset=utf-8";

/// The response with a description (`OpenAPI` 3.1). It is public, so programs in browsers may read it.
pub fn description(json: &'static str) -> HttpResponse {
    HttpResponse::new(200, Body::Static(JSON, json)).with_header("access-control-allow-origin", "*")
}

/// The response with a page. `policy` allows its own style and script only.
pub fn page(html: &'static str, policy: &'static str) -> HttpResponse {
    HttpResponse::new(200, Body::Static(HTML, html))
        .with_header("content-security-policy", policy)
        .with_header("referrer-policy", "no-referrer")
        .with_header("x-content-type-options", "nosniff")
}
