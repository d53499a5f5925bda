//! The admin API over HTTP.

use std::{thread, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The largest answer that is read, in bytes.
const LARGEST: u64 = 256 * 1024 * 1024;

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
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            url: url.to_owned(),
            token,
        }
    }

    /// Asks, and gives the answer; one that is an error fails with what it says. Waits as long as it
    /// is told where it has asked too often: a large tenant takes many requests.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        loop {
            let (answer, wait) = self.ask_once(method, path, body)?;
            let Some(wait) = wait else { return Ok(answer) };
            eprintln!(
                "The API has had enough for now; going on in {} s.",
                wait.as_secs()
            );
            thread::sleep(wait);
        }
    }

    /// The answer, or how long to wait before asking again.
    fn ask_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Value, Option<Duration>)> {
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
        let wait = answer.headers().get("retry-after");
        let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        // A page of an export may have far more than the 10 MB that a text is read to otherwise.
        let text = answer
            .body_mut()
            .with_config()
            .limit(LARGEST)
            .read_to_string()?;
        let body: Value = serde_json::from_str(&text)
            .with_context(|| format!("{url} is no admin API: it answered {}", answer.status()))?;
        if answer.status().is_success() {
            return Ok((body, None));
        }
        if let (429, Some(wait)) = (answer.status().as_u16(), wait) {
            return Ok((body, Some(Duration::from_secs(wait))));
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
        let join = if path.contains('?') { '&' } else { '?' };
        let mut data = Vec::new();
        self.pages(&format!("{path}{join}limit=100"), |page| {
            data.extend(page);
            Ok(())
        })?;
        Ok(Value::Array(data))
    }

    /// Asks for a list, and hands over page by page.
    pub(crate) fn pages(
        &self,
        path: &str,
        mut take: impl FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut cursor = String::new();
        loop {
            let mut page = self.ask(Method::Get, &format!("{path}{cursor}"), None)?;
            if let Some(Value::Array(part)) = page.get_mut("data").map(Value::take) {
                take(part)?;
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("{join}cursor={}", encoded(next)),
                None => return Ok(()),
            }
        }
    }
}

/// A text as a parameter of a query.
fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte: u8| {
        if keep(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_through_a_url_as_it_is() {
        assert_eq!(encoded("key_01A"), "key_01A");
        assert_eq!(
            encoded(r#"turns:["ä",1]"#),
            "turns%3A%5B%22%C3%A4%22%2C1%5D"
        );
    }
}
