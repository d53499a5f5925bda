//! Requests as the stages see them: plain values, without the runtime.

use std::borrow::Cow;

use clawless_core::{ApiError, ErrorCode};
use futures_util::StreamExt;
use js_sys::Promise;
use worker::wasm_bindgen_futures::JsFuture;
use worker::{AbortSignal, Request};

/// What a request says before its body: method, path and headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
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

impl Head {
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
        Self {
            // `Request::method` reads methods that it does not know as GET.
            method: request.inner().method(),
            path: request.path(),
            query: request
                .inner()
                .url()
                .split_once('?')
                .map_or_else(String::new, |(_, query)| query.to_owned()),
            headers: request.headers().entries().collect(),
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
    let claimed = claimed
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0);
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
        let piece = piece.map_err(|error| {
            ApiError::new(ErrorCode::InvalidJson, "The body broke off before its end.")
                .because(error)
        })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Head {
        Head::new("POST", "/", headers.iter().copied())
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
