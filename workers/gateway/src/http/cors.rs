//! CORS for `/v1/*`: every origin by default, without credentials; a list if one is configured. Requests of
//! the widget are for one origin only, which its key or its token names.

use clawless_core::api_key::is_origin;
use clawless_core::signing::SigningKey;
use clawless_core::widget::VisitorToken;
use clawless_edge::http::request::Authorization;
use clawless_edge::http::{Body, HttpResponse, RequestHead};

use crate::platform::Config;

/// The route that opens the widget's sessions.
const WIDGET_SESSION: &str = "/v1/widget/session";

/// The headers of a response that scripts in browsers may read.
const EXPOSED_HEADERS: &str = "x-request-id, request-id, x-session-id, x-clawless-model, x-clawless-route, \
     x-clawless-tries, x-clawless-dropped, x-clawless-history-dropped, idempotent-replayed, \
     x-original-request-id, retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, \
     x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, \
     x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

/// What decides which origins may read a response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy<'a> {
    /// The configured origins; `None` allows every one.
    origins: Option<&'a [String]>,
    /// The key that signs the tokens of visitors.
    signing_key: Option<&'a SigningKey>,
}

impl<'a> Policy<'a> {
    /// The policy of a deployment.
    pub fn new(config: &'a Config) -> Self {
        Self {
            origins: config.cors_origins.as_deref(),
            signing_key: config.signing_key().ok(),
        }
    }
}

/// Who may read the response to a request.
enum Readers<'a> {
    /// Every origin.
    All,
    /// This origin only, or none; other requests to the same URL have other readers.
    Origin(Option<&'a str>),
    /// This origin only, or none, and only that the token was refused.
    Refused(Option<&'a str>),
    /// The handler decides.
    Handler,
}

/// Whether scripts in browsers may call a path.
pub fn applies(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// Whether the widget may call a path.
fn is_of_widget(path: &str) -> bool {
    path == WIDGET_SESSION || path == "/v1/chat/completions" || path.starts_with("/v1/sessions/")
}

/// The response to a preflight.
pub fn preflight(head: &RequestHead, policy: Policy<'_>) -> HttpResponse {
    let response = HttpResponse::new(204, Body::Empty);
    if matches!(readers(head, policy), Readers::Origin(None)) {
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
pub fn expose(response: HttpResponse, head: &RequestHead, policy: Policy<'_>) -> HttpResponse {
    if !applies(&head.path) {
        return response;
    }
    match readers(head, policy) {
        Readers::All => response.with_headers(readable_by("*").into()),
        Readers::Refused(_) if response.status != 401 => response.with_header("vary", "Origin"),
        Readers::Origin(origin) | Readers::Refused(origin) => {
            let headers = origin.map(readable_by).map(Vec::from);
            let response = response.with_headers(headers.unwrap_or_default());
            response.with_header("vary", "Origin")
        }
        Readers::Handler => response.with_header("vary", "Origin"),
    }
}

/// The headers of a response that an origin, or `*`, may read.
pub fn readable_by(origin: &str) -> [(&'static str, String); 2] {
    [
        ("access-control-allow-origin", origin.to_owned()),
        ("access-control-expose-headers", EXPOSED_HEADERS.to_owned()),
    ]
}

/// A preflight carries no token: one of the widget's is answered for every origin even if a list is
/// configured, and the request that follows decides. A visitor's response is for the origin of its token, even after the token has expired,
/// so that the widget sees that it has. A token of an earlier signing key names no origin that can be trusted:
/// the origin of the request may read that it was refused, so that the widget opens the session again.
fn readers<'a>(head: &'a RequestHead, policy: Policy<'_>) -> Readers<'a> {
    let origin = head.header("origin");
    if head.method == "OPTIONS" {
        if policy.origins.is_some() && is_of_widget(&head.path) {
            return Readers::Origin(origin.filter(|origin| is_origin(origin)));
        }
    } else if head.path == WIDGET_SESSION {
        return Readers::Handler;
    } else if let Authorization::Bearer(token) = head.authorization()
        && token.starts_with(VisitorToken::PREFIX)
    {
        let opened = policy
            .signing_key
            .and_then(|key| VisitorToken::open(key, token, None).ok());
        return match opened {
            Some(it) => Readers::Origin(origin.filter(|origin| it.visitor.origin == *origin)),
            None => Readers::Refused(
                origin.filter(|origin| is_origin(origin) && is_of_widget(&head.path)),
            ),
        };
    }
    match policy.origins {
        None => Readers::All,
        Some(allowed) => {
            let is_allowed = |origin: &&str| allowed.iter().any(|allowed| allowed == origin);
            Readers::Origin(origin.filter(is_allowed))
        }
    }
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
    use clawless_core::keys::KeyDigest;
    use clawless_core::time::Timestamp;
    use clawless_core::widget::Visitor;

    use super::*;

    fn from(origin: &str) -> RequestHead {
        RequestHead::new("GET", "/v1/models", [("origin", origin)])
    }

    fn origin_of(response: &HttpResponse) -> Option<&str> {
        response.header("access-control-allow-origin")
    }

    fn listing(origins: &[String]) -> Policy<'_> {
        Policy {
            origins: Some(origins),
            signing_key: None,
        }
    }

    fn exposed(head: &RequestHead, policy: Policy<'_>) -> HttpResponse {
        expose(HttpResponse::json(String::new()), head, policy)
    }

    #[test]
    fn a_list_of_origins_is_matched_exactly() {
        let list = ["https://a.example".to_owned()];
        let exposed = |origin| exposed(&from(origin), listing(&list));
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
        let response = exposed(&from("null"), Policy::default());
        assert_eq!(origin_of(&response), Some("*"));
        assert!(
            response
                .headers
                .iter()
                .all(|(name, _)| !name.contains("credentials"))
        );
    }

    #[test]
    fn attack_53_response_to_a_visitor_is_for_the_origin_of_its_token() {
        let key = SigningKey::new("0123456789abcdef0123456789abcdef").expect("long enough");
        let visitor = Visitor {
            session: "web_1".parse().expect("an id"),
            origin: "https://a.example".to_owned(),
            scopes: VisitorToken::scopes(),
            name: "web_1".to_owned(),
            key_version: 1,
        };
        let token = VisitorToken {
            key: KeyDigest::from_secret("a"),
            visitor,
        };
        // It expired long ago.
        let token = format!("Bearer {}", token.seal(&key, Timestamp::default()));
        let allowed = |token: &str, origin: Option<&str>, policy| {
            let origin = origin.map(|origin| ("origin", origin));
            let headers = origin.into_iter().chain([("authorization", token)]);
            let head = RequestHead::new("POST", "/v1/chat/completions", headers);
            let response = exposed(&head, policy);
            assert_eq!(response.header("vary"), Some("Origin"));
            origin_of(&response).map(str::to_owned)
        };
        let list = ["https://b.example".to_owned()];
        for origins in [None, Some(list.as_slice())] {
            let policy = Policy {
                origins,
                signing_key: Some(&key),
            };
            let right = Some("https://a.example");
            assert_eq!(allowed(&token, right, policy).as_deref(), right);
            assert_eq!(allowed("Bearer cl_vt_forged", right, policy), None);
            for origin in ["null", "https://a.example.evil", "https://b.example"] {
                assert_eq!(allowed(&token, Some(origin), policy), None, "{origin}");
            }
            assert_eq!(allowed(&token, None, policy), None);
        }
    }

    #[test]
    fn a_widget_can_read_that_the_token_of_another_signing_key_is_refused() {
        let key = SigningKey::new("0123456789abcdef0123456789abcdef").expect("long enough");
        let allowed = |status, path: &str, origin| {
            let headers = [("origin", origin), ("authorization", "Bearer cl_vt_old")];
            let head = RequestHead::new("POST", path, headers);
            let policy = Policy {
                origins: None,
                signing_key: Some(&key),
            };
            let response = expose(HttpResponse::new(status, Body::Empty), &head, policy);
            assert_eq!(response.header("vary"), Some("Origin"));
            origin_of(&response).map(str::to_owned)
        };
        let (chat, origin) = ("/v1/chat/completions", "https://a.example");
        assert_eq!(allowed(401, chat, origin).as_deref(), Some(origin));
        for (status, path, origin) in [
            (200, chat, origin),
            (403, chat, origin),
            (401, chat, "null"),
            (401, "/v1/usage", origin),
        ] {
            assert_eq!(allowed(status, path, origin), None, "{status} {path}");
        }
    }

    #[test]
    fn attack_53_preflight_of_the_widget_is_answered_for_every_origin_but_null() {
        let list = ["https://b.example".to_owned()];
        let allowed = |path: &str, origin: &str| {
            let head = RequestHead::new("OPTIONS", path, [("origin", origin)]);
            let answered = preflight(&head, listing(&list));
            let methods = answered.header("access-control-allow-methods").is_some();
            let response = expose(answered, &head, listing(&list));
            assert_eq!(origin_of(&response).is_some(), methods, "{path} {origin}");
            methods
        };
        for path in [
            "/v1/widget/session",
            "/v1/chat/completions",
            "/v1/sessions/web_1/messages",
        ] {
            assert!(allowed(path, "https://a.example"), "{path}");
            assert!(!allowed(path, "null"), "{path}");
        }
        assert!(!allowed("/v1/usage", "https://a.example"));
        assert!(allowed("/v1/usage", "https://b.example"));
    }
}
