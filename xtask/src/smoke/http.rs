//! Requests to the gateway under test.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Timeout of a request. A model may load first.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// Longest response that is read, in bytes.
const MAX_RESPONSE_BYTES: u64 = 4 * 1024 * 1024;

/// Longest part of a response in an error, in characters.
const MAX_SHOWN_CHARS: usize = 300;

/// A gateway.
pub(super) struct Api {
    agent: ureq::Agent,
    url: String,
}

/// A response.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Response {
    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text)
            .with_context(|| format!("the response is not JSON: {}", self.shown()))
    }

    /// Fails unless the status is one of these.
    pub(super) fn expect(self, statuses: &[u16]) -> Result<Self> {
        ensure!(
            statuses.contains(&self.status),
            "status {} instead of {statuses:?}: {}",
            self.status,
            self.shown()
        );
        Ok(self)
    }

    /// The start of the body without control characters.
    fn shown(&self) -> String {
        let letters = self
            .text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter });
        letters.take(MAX_SHOWN_CHARS).collect()
    }
}

impl Api {
    /// The gateway at a URL.
    pub(super) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// Sends a request with a bearer token.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
        session: Option<&str>,
    ) -> Result<Response> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(session) = session {
            request = request.header("x-session-id", session);
        }
        let text = body.map(Value::to_string);
        if text.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(text.unwrap_or_default())
            .context("the URL or the token is invalid")?;
        let mut response = self
            .agent
            .run(request)
            .with_context(|| format!("{}{path} does not respond", self.url))?;
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_RESPONSE_BYTES)
            .read_to_string()?;
        Ok(Response { status, text })
    }
}
