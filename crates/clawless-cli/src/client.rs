//! A client of the admin API over HTTP.

use std::{thread, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::http::{Response, StatusCode};

/// Timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Largest response that is read, in bytes. A page of an export exceeds the library's default of 10 MB.
const MAX_RESPONSE_BYTES: u64 = 256 * 1024 * 1024;

/// The methods that the API accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
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
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            url: url.to_owned(),
            token,
        }
    }

    /// Sends a request and returns the response's body. A rate-limited request is repeated after the
    /// time that `retry-after` gives, since commands on a large tenant take many requests. Any other
    /// error response is an error with its message, status and code.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        loop {
            let mut response = self.send(method, path, body)?;
            let status = response.status();
            let delay = retry_after(&response);
            let body = self.read(&mut response)?;
            if status.is_success() {
                return Ok(body);
            }
            let Some(delay) = delay.filter(|_| status == StatusCode::TOO_MANY_REQUESTS) else {
                let member = |name: &str| {
                    let value = body.pointer(&format!("/error/{name}"));
                    value.and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                bail!("{} ({status}, {})", member("message"), member("code"));
            };
            eprintln!("Rate limited; retrying in {} s.", delay.as_secs());
            thread::sleep(delay);
        }
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<ureq::Body>> {
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
            .context("the URL or the token is invalid")?;
        self.agent
            .run(request)
            .with_context(|| format!("{url} does not respond"))
    }

    fn read(&self, response: &mut Response<ureq::Body>) -> Result<Value> {
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_RESPONSE_BYTES)
            .read_to_string()?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not an admin API: it responded with {}",
                self.url,
                response.status()
            )
        })
    }

    /// All pages of a list, as one array.
    pub(crate) fn list(&self, path: &str) -> Result<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut data = Vec::new();
        self.for_each_page(&format!("{path}{separator}limit=100"), |page| {
            data.extend(page);
            Ok(())
        })?;
        Ok(Value::Array(data))
    }

    /// Requests a list page by page.
    pub(crate) fn for_each_page(
        &self,
        path: &str,
        mut consume: impl FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut cursor = String::new();
        loop {
            let mut page = self.request(Method::Get, &format!("{path}{cursor}"), None)?;
            if let Some(Value::Array(rows)) = page.get_mut("data").map(Value::take) {
                consume(rows)?;
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("{separator}cursor={}", percent_encode(next)),
                None => return Ok(()),
            }
        }
    }
}

fn retry_after(response: &Response<ureq::Body>) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// Encodes a query parameter.
pub(crate) fn percent_encode(text: &str) -> String {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte: u8| {
        if is_unreserved(byte) {
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
    fn cursors_are_percent_encoded() {
        assert_eq!(percent_encode("key_01A"), "key_01A");
        assert_eq!(
            percent_encode(r#"turns:["ä",1]"#),
            "turns%3A%5B%22%C3%A4%22%2C1%5D"
        );
    }
}
