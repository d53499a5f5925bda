//! CORS for `/v1/*`: every origin by default, without credentials; a list if one is configured.

use clawless_edge::http::{Body, HttpResponse, RequestHead};

/// The headers of a response that scripts in browsers may read.
const EXPOSED_HEADERS: &str = "x-request-id, request-id, x-session-id, x-clawless-model, x-clawless-route, \
     x-clawless-tries, x-clawless-dropped, x-clawless-history-dropped, idempotent-replayed, \
     x-original-request-id, retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, \
     x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, \
     x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

/// Whether scripts in browsers may call a path.
pub fn applies(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// The response to a preflight.
pub fn preflight(head: &RequestHead, origins: Option<&[String]>) -> HttpResponse {
    let response = HttpResponse::new(204, Body::Empty);
    if allowed_origin(head, origins).is_none() {
        return response;
    }
    // SDKs send headers of their own (`x-stainless-*`), so the requested ones are allowed.
    let headers = head
        .header("access-control-request-headers")
        .filter(|names| are_names(names));
    response
        .with_header(
            "access-control-allow-methods",
            "GET, POST, PATCH, DELETE, OPTIONS",
        )
        .with_header(
            "access-control-allow-headers",
            headers.unwrap_or("authorization, content-type"),
        )
        .with_header("access-control-max-age", "86400")
}

/// Lets an allowed origin read a response.
pub fn expose(
    response: HttpResponse,
    head: &RequestHead,
    origins: Option<&[String]>,
) -> HttpResponse {
    if !applies(&head.path) {
        return response;
    }
    let response = if origins.is_some() {
        response.with_header("vary", "Origin")
    } else {
        response
    };
    match allowed_origin(head, origins) {
        None => response,
        Some(origin) => response
            .with_header("access-control-allow-origin", origin)
            .with_header("access-control-expose-headers", EXPOSED_HEADERS),
    }
}

/// The value of `access-control-allow-origin`: `*` without a list, else the origin if it is listed.
fn allowed_origin<'a>(head: &'a RequestHead, origins: Option<&[String]>) -> Option<&'a str> {
    let Some(origins) = origins else {
        return Some("*");
    };
    head.header("origin")
        .filter(|origin| origins.iter().any(|allowed| allowed == origin))
}

/// Whether a text is a list of header names, and so safe to repeat.
fn are_names(text: &str) -> bool {
    text.len() <= 1024
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_, ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> RequestHead {
        RequestHead::new("GET", "/v1/models", [("origin", origin)])
    }

    fn origin_of(response: &HttpResponse) -> Option<&str> {
        response.header("access-control-allow-origin")
    }

    #[test]
    fn a_list_of_origins_is_matched_exactly() {
        let list = ["https://a.example".to_owned()];
        let exposed = |origin| {
            expose(
                HttpResponse::json(String::new()),
                &from(origin),
                Some(&list),
            )
        };
        assert_eq!(
            origin_of(&exposed("https://a.example")),
            Some("https://a.example")
        );
        for other in [
            "null",
            "https://a.example.evil",
            "https://xa.example",
            "http://a.example",
        ] {
            assert_eq!(origin_of(&exposed(other)), None, "{other}");
        }
    }

    #[test]
    fn without_a_list_every_origin_may_read_but_none_may_send_credentials() {
        let response = expose(HttpResponse::json(String::new()), &from("null"), None);
        assert_eq!(origin_of(&response), Some("*"));
        assert!(
            response
                .headers
                .iter()
                .all(|(name, _)| !name.contains("credentials"))
        );
    }
}
