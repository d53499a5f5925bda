//! Requests as the stages see them: plain values, without the runtime.

use std::borrow::Cow;

use clawless_core::{ApiError, ErrorCode};
use futures_util::StreamExt;
use js_sys::{Promise, Uint8Array};
use worker::wasm_bindgen_futures::JsFuture;
use worker::{AbortSignal, Request};

use crate::crossing;

/// What a request says before its body: method, path and headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// The method as it was sent; unknown ones are kept as they are.
    pub method: String,
    /// The path as it was sent, without the query; nothing is decoded or collapsed.
    pub path: String,
    /// The query as it was sent, without the question mark.
    query: String,
    /// Names in lower case; values of a repeated header are joined by `, `.
    headers: Vec<(String, String)>,
}

/// Who a request says it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// It does not say.
    Absent,
    /// A bearer's token.
    Bearer(&'a str),
    /// Something that is no bearer's.
    Other,
}

impl RequestHead {
    /// A head; names are taken in lower case. The path may bring a query.
    pub fn new<'a>(
        method: &str,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
        }
    }

    /// The head of a request.
    pub fn of(request: &Request) -> Self {
        let text = crossing::head(request.inner());
        let mut lines = text.split('\n');
        let method = lines.next().unwrap_or_default().to_owned();
        let url = lines.next().unwrap_or_default();
        let path = path_of(url).to_owned();
        let query = url.split_once('?');
        let query = query.map_or_else(String::new, |(_, query)| query.to_owned());
        let mut headers = Vec::with_capacity(16);
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            headers.push((name.to_owned(), value.to_owned()));
        }
        Self {
            method,
            path,
            query,
            headers,
        }
    }

    /// A header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The header `authorization`. A repeated one arrives joined by a comma, which no key holds.
    pub fn authorization(&self) -> Authorization<'_> {
        let Some(value) = self.header("authorization") else {
            return Authorization::Absent;
        };
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Authorization::Bearer(token.trim())
            }
            _ => Authorization::Other,
        }
    }

    /// The parameters of the query, decoded, in their order.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query.as_bytes())
    }

    /// Checks that the body is plain JSON, by what the head says of it.
    ///
    /// # Errors
    /// 415 for another content type and for a compressed body, which is never inflated.
    pub fn require_json(&self) -> Result<(), ApiError> {
        let essence = self
            .header("content-type")
            .and_then(|value| value.split(';').next());
        if !essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
            return Err(ApiError::new(
                ErrorCode::UnsupportedMediaType,
                "Send the body as `content-type: application/json`.",
            ));
        }
        match self.header("content-encoding") {
            None | Some("identity") => Ok(()),
            Some(_) => Err(ApiError::new(
                ErrorCode::UnsupportedMediaType,
                "Compressed bodies are not accepted: send no `content-encoding`.",
            )),
        }
    }
}

/// The path of a URL as the runtime writes it: absolute, its host without a slash.
fn path_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(host..).unwrap_or_default();
    let path = rest.find('/').and_then(|at| rest.get(at..));
    path.and_then(|path| path.split(['?', '#']).next())
        .unwrap_or("/")
}

/// Reads a body of at most `limit` bytes. Reading stops at the limit, whatever the request claimed.
///
/// A body that claims to be a little too large is read and thrown away, up to twice the limit:
/// proxies lose an answer that comes while they are still sending.
///
/// # Errors
/// 413 over the limit, 400 where the body breaks off.
pub async fn read_body(request: &mut Request, limit: usize) -> Result<Vec<u8>, ApiError> {
    let too_large = || {
        ApiError::new(
            ErrorCode::RequestTooLarge,
            format!("The body is larger than the limit of {limit} bytes."),
        )
    };
    let claimed = request.headers().get("content-length").ok().flatten();
    let claimed = claimed.and_then(|length| length.parse::<usize>().ok());
    // HTTP holds a body to the length that it announced, so this one can be read at once.
    if claimed.is_some_and(|claimed| claimed <= limit) {
        let bytes = read_at_once(request).await?;
        return if bytes.len() > limit {
            Err(too_large())
        } else {
            Ok(bytes)
        };
    }
    let claimed = claimed.unwrap_or(0);
    if claimed > limit.saturating_mul(2) {
        return Err(too_large());
    }
    // A request without a body has no stream; an empty body then fails as JSON does.
    let Ok(mut stream) = request.stream() else {
        return Ok(Vec::new());
    };
    if claimed > limit {
        let mut left = claimed;
        while let (Some(Ok(piece)), true) = (stream.next().await, left > 0) {
            left = left.saturating_sub(piece.len());
        }
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(claimed);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(broken_off)?;
        if body.len() + piece.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Ends when the client has closed its connection before the answer's end. The runtime tells so by
/// `request.signal` (compatibility flag `enable_request_signal`); nothing is asked of it before the
/// future is first polled.
pub fn departure(request: &Request) -> impl Future<Output = ()> + 'static + use<> {
    let signal = AbortSignal::from(request.inner().signal());
    async move {
        if !signal.aborted() {
            let gone = Promise::new(&mut |resolve, _| signal.set_onabort(Some(&resolve)));
            // Nothing rejects it.
            let _ = JsFuture::from(gone).await;
        }
    }
}

async fn read_at_once(request: &Request) -> Result<Vec<u8>, ApiError> {
    let reading = request.inner().array_buffer();
    let reading = reading.map_err(|thrown| broken_off(crossing::reason(&thrown)))?;
    let buffer = JsFuture::from(reading).await;
    let buffer = buffer.map_err(|thrown| broken_off(crossing::reason(&thrown)))?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

fn broken_off(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::InvalidJson, "The body broke off before its end.").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_was_sent() {
        for (url, path) in [
            ("http://a/v1/models?x=/y", "/v1/models"),
            ("https://a:8/v1//%63hat/", "/v1//%63hat/"),
            ("http://a", "/"),
            ("http://a/#/b", "/"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }

    fn with(headers: &[(&str, &str)]) -> RequestHead {
        RequestHead::new("POST", "/", headers.iter().copied())
    }

    #[test]
    fn only_plain_json_is_read() {
        assert!(
            with(&[("Content-Type", "application/json; charset=utf-8")])
                .require_json()
                .is_ok()
        );
        for headers in [
            &[][..],
            &[("content-type", "text/plain")],
            &[
                ("content-type", "application/json"),
                ("content-encoding", "gzip"),
            ],
            &[("content-type", "application/jsonx")],
        ] {
            let error = with(headers).require_json().expect_err("415");
            assert_eq!(error.status(), 415, "{headers:?}");
        }
    }
}
