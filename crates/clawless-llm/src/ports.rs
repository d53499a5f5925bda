//! The network port: sends requests to providers.

use std::fmt;

use futures_util::Stream;

/// Sends requests to providers.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Http {
    /// A response body, in network chunks.
    type Body: Stream<Item = Result<Vec<u8>, HttpError>> + Unpin + 'static;

    /// Sends a request and returns once the response head has arrived.
    ///
    /// Dropping the future, or later the body, aborts the request: the connection closes and the
    /// provider may stop generating. Redirects are not followed, so that no key is sent to another
    /// host; the 3xx is returned.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse<Self::Body>, HttpError>;

    /// Runs a model of the platform through its AI binding: `AI.run(model, inputs,
    /// { returnRawResponse: true })`, with `inputs` as JSON text. Dropping the future aborts it, as
    /// in [`Self::send`].
    async fn run_ai(
        &self,
        _model: &str,
        _inputs: &[u8],
    ) -> Result<HttpResponse<Self::Body>, HttpError> {
        Err(HttpError("there is no AI binding".to_owned()))
    }
}

/// The URL scheme of requests to the AI binding; the model's name follows.
pub(crate) const AI_SCHEME: &str = "workers-ai:";

impl<H: Http + ?Sized> Http for &H {
    type Body = H::Body;

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse<Self::Body>, HttpError> {
        (**self).send(request).await
    }

    async fn run_ai(
        &self,
        model: &str,
        inputs: &[u8],
    ) -> Result<HttpResponse<Self::Body>, HttpError> {
        (**self).run_ai(model, inputs).await
    }
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET, without a body.
    Get,
    /// POST, with a body.
    Post,
}

impl Method {
    /// The method's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A request to a provider. Its `Debug` form shows neither header values nor the body: both may
/// hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// The head of a response and its unread body.
#[derive(Debug)]
pub struct HttpResponse<B> {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: B,
}

/// The response headers that this crate reads: an adapter may omit all others.
pub const HEADERS_READ: [&str; 9] = [
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-reset",
    "ratelimit-reset",
];

/// The headers of a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a header; its name is case-insensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut headers = self.0.iter();
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(headers: I) -> Self {
        let pairs = headers.into_iter();
        Self(
            pairs
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

/// A network failure: connection failed, unknown host, reset, truncated body. The text is for the
/// log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HttpError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_a_request_omits_the_key() {
        let request = HttpRequest {
            method: Method::Post,
            url: "https://provider.example/v1".to_owned(),
            headers: vec![("authorization", "Bearer canary".to_owned())],
            body: b"canary".to_vec(),
        };
        assert!(!format!("{request:?}").contains("canary"));
        assert_eq!(request.header("authorization"), Some("Bearer canary"));
    }

    #[test]
    fn header_names_are_case_insensitive() {
        let headers: Headers = [("Retry-After", "7")].into_iter().collect();
        assert_eq!(headers.get("retry-after"), Some("7"));
    }
}
