//! The API's description and its reference page, which `cargo xtask openapi` generates. Workers hold
//! them compressed (gzip).

use super::request::RequestHead;
use super::response::{Body, Compressed, HttpResponse, JSON};

/// The content type of the page.
const HTML: &str = "text/html; charset=utf-8";

/// The response with a description (`OpenAPI` 3.1). It is public, so programs in browsers may read it.
pub fn description(head: &RequestHead, json: &'static [u8]) -> HttpResponse {
    compressed(head, JSON, json).with_header("access-control-allow-origin", "*")
}

/// The response with a page. `policy` allows its own style and script only.
pub fn page(head: &RequestHead, html: &'static [u8], policy: &'static str) -> HttpResponse {
    compressed(head, HTML, html)
        .with_header("content-security-policy", policy)
        .with_header("referrer-policy", "no-referrer")
        .with_header("x-content-type-options", "nosniff")
}

/// The response with a compressed text, in the form that the client accepts.
fn compressed(head: &RequestHead, content_type: &'static str, gzip: &'static [u8]) -> HttpResponse {
    let is_sent_so = accepts(head, "gzip");
    let body = Body::Compressed(Compressed {
        content_type,
        gzip,
        is_sent_so,
    });
    let response = HttpResponse::new(200, body).with_header("vary", "accept-encoding");
    if is_sent_so {
        response.with_header("content-encoding", "gzip")
    } else {
        response
    }
}

/// Whether `accept-encoding` names an encoding, or any encoding, with a quality above 0.
pub fn accepts(head: &RequestHead, encoding: &str) -> bool {
    let accepted = head.header("accept-encoding").unwrap_or_default();
    let codings = accepted.split(',').map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        let quality = quality.map_or(Ok(1.0), str::parse::<f32>).unwrap_or(0.0);
        (coding, quality > 0.0)
    });
    let codings: Vec<_> = codings.collect();
    let find = |name: &str| {
        let mut found = codings.iter();
        found
            .find(|(coding, _)| coding.eq_ignore_ascii_case(name))
            .map(|(_, is_accepted)| *is_accepted)
    };
    find(encoding).or_else(|| find("*")).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_clients_that_accept_it() {
        for (header, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip, deflate, br, zstd", true),
            ("*", true),
            ("*;q=0.1, identity", true),
            ("", false),
            ("identity", false),
            ("br", false),
            ("gzip;q=0", false),
            ("*, gzip; q=0", false),
            ("gzip;q=x", false),
            ("xgzip", false),
        ] {
            let head = RequestHead::new("GET", "/docs", [("accept-encoding", header)]);
            assert_eq!(accepts(&head, "gzip"), expected, "{header}");
        }
        assert!(!accepts(&RequestHead::new("GET", "/docs", []), "gzip"));
    }
}
