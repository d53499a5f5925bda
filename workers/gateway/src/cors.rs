//! CORS for `/v1/*`: by default every origin, without credentials; a list by setting.

use clawless_edge::request::RequestHead;
use clawless_edge::response::{Body, HttpResponse};

/// What browsers' scripts may read of an answer.
const EXPOSED: &str = "x-request-id, x-session-id, x-clawless-model, x-clawless-route, \
     x-clawless-tries, x-clawless-dropped, x-clawless-history-dropped, idempotent-replayed, \
     x-original-request-id, \
     retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, \
     x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, \
     x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

/// Whether browsers' scripts may call a path.
pub fn applies(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// The answer to a preflight.
pub fn preflight(head: &RequestHead, origins: Option<&[String]>) -> HttpResponse {
    let answer = HttpResponse {
        status: 204,
        headers: Vec::new(),
        body: Body::Empty,
    };
    if allowed_origin(head, origins).is_none() {
        return answer;
    }
    // SDKs send headers of their own (`x-stainless-*`), so what was asked for is what is allowed.
    let headers = head
        .header("access-control-request-headers")
        .filter(|names| are_names(names));
    answer
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

/// Lets an allowed origin read an answer.
pub fn expose(
    answer: HttpResponse,
    head: &RequestHead,
    origins: Option<&[String]>,
) -> HttpResponse {
    if !applies(&head.path) {
        return answer;
    }
    let answer = if origins.is_some() {
        answer.with_header("vary", "Origin")
    } else {
        answer
    };
    match allowed_origin(head, origins) {
        None => answer,
        Some(origin) => answer
            .with_header("access-control-allow-origin", origin)
            .with_header("access-control-expose-headers", EXPOSED),
    }
}

/// What `access-control-allow-origin` says: `*` without a list, else the origin if it is on it.
fn allowed_origin<'a>(head: &'a RequestHead, origins: Option<&[String]>) -> Option<&'a str> {
    let Some(origins) = origins else {
        return Some("*");
    };
    head.header("origin")
        .filter(|origin| origins.iter().any(|allowed| allowed == origin))
}

/// Whether a text is a list of header names, and so safe to say back.
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

    fn origin_of(answer: &HttpResponse) -> Option<&str> {
        let header = answer
            .headers
            .iter()
            .find(|(name, _)| *name == "access-control-allow-origin");
        header.map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_list_of_origins_is_matched_exactly() {
        let list = ["https://a.example".to_owned()];
        let ask = |origin| {
            expose(
                HttpResponse::json(String::new()),
                &from(origin),
                Some(&list),
            )
        };
        assert_eq!(
            origin_of(&ask("https://a.example")),
            Some("https://a.example")
        );
        for other in [
            "null",
            "https://a.example.evil",
            "https://xa.example",
            "http://a.example",
        ] {
            assert_eq!(origin_of(&ask(other)), None, "{other}");
        }
    }

    #[test]
    fn without_a_list_every_origin_may_read_but_none_may_send_credentials() {
        let answer = expose(HttpResponse::json(String::new()), &from("null"), None);
        assert_eq!(origin_of(&answer), Some("*"));
        assert!(
            answer
                .headers
                .iter()
                .all(|(name, _)| !name.contains("credentials"))
        );
    }
}
