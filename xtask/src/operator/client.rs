//! The admin API over HTTP.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The methods that the API takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// An admin API and the token for it.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    token: String,
}

impl Client {
    /// The API at `url`, which ends in `/admin`.
    pub(crate) fn new(url: &str, token: String) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            url: url.to_owned(),
            token,
        }
    }

    /// Asks, and gives the answer; one that is an error fails with what it says.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut request = ureq::http::Request::builder()
            .method(method.name())
            .uri(&url)
            .header("authorization", format!("Bearer {}", self.token));
        let text = body.map(Value::to_string);
        if text.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(text.unwrap_or_default())
            .context("the address or the token can't be sent")?;
        let mut answer = self
            .agent
            .run(request)
            .with_context(|| format!("{url} does not answer"))?;
        let text = answer.body_mut().read_to_string()?;
        let body: Value = serde_json::from_str(&text)
            .with_context(|| format!("{url} is no admin API: it answered {}", answer.status()))?;
        if answer.status().is_success() {
            return Ok(body);
        }
        let says = |member: &str| {
            let said = body.pointer(&format!("/error/{member}"));
            said.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        bail!(
            "{} ({}, {})",
            says("message"),
            answer.status(),
            says("code")
        )
    }

    /// Asks for a list, all of its pages.
    pub(crate) fn list(&self, path: &str) -> Result<Value> {
        let mut data = Vec::new();
        let mut cursor = String::new();
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let mut page =
                self.ask(Method::Get, &format!("{path}{join}limit=100{cursor}"), None)?;
            if let Some(Value::Array(part)) = page.get_mut("data").map(Value::take) {
                data.extend(part);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(Value::Array(data)),
            }
        }
    }
}
