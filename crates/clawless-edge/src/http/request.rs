//! The head of a request as plain values, without the runtime.

use std::borrow::Cow;

use clawless_core::{ApiError, ErrorCode};
use percent_encoding::percent_decode_str;
use worker::web_sys::Request;

use super::address;
use crate::crossing;

/// The part of a request before its body: method, path, query and headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// The method as it was sent; unknown ones are kept as they are.
    pub method: String,
    /// The scheme and the host of the URL, such as `https://chat.example`.
    origin: String,
    /// The path as it was sent, without the query; nothing is decoded or collapsed.
    pub path: String,
    /// The query as it was sent, without the question mark.
    query: String,
    /// Names in lower case; values of a repeated header are joined by `, `.
    headers: Vec<(String, String)>,
}

/// The header `authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// There is none.
    Absent,
    /// A bearer token.
    Bearer(&'a str),
    /// Another scheme, or a malformed value.
    Other,
}

impl RequestHead {
    /// A head. Names of headers are converted to lower case; the path may have a query.
    pub fn new<'a>(
        method: &str,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method: method.to_owned(),
            origin: String::new(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
        }
    }

    /// The head of a request that the runtime delivered.
    pub fn from_request(request: &Request) -> Self {
        let text = crossing::head(request);
        let mut lines = text.split('\n');
        let method = lines.next().unwrap_or_default().to_owned();
        let url = lines.next().unwrap_or_default();
        let (origin, path) = (origin_of(url).to_owned(), path_of(url).to_owned());
        let query = url.split_once('?');
        let query = query.map_or_else(String::new, |(_, query)| query.to_owned());
        let mut headers = Vec::with_capacity(16);
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            headers.push((name.to_owned(), value.to_owned()));
        }
        Self {
            method,
            origin,
            path,
            query,
            headers,
        }
    }

    /// The scheme and the host of the URL, which is this server's own origin; empty in tests.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The client's address, as limits count it.
    pub fn address(&self) -> String {
        address::counted(self.header("cf-connecting-ip"))
    }

    /// The header `authorization`. A repeated one arrives joined by a comma, which no key contains.
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

    /// Checks by the headers that the body is plain JSON.
    ///
    /// # Errors
    /// 415 for another content type and for a compressed body, which is never decompressed.
    pub fn require_json(&self) -> Result<(), ApiError> {
        let essence = self
            .header("content-type")
            .and_then(|value| value.split(';').next());
        let is = |name: &str| essence.is_some_and(|it| it.trim().eq_ignore_ascii_case(name));
        let is_patch = self.method == "PATCH" && is("application/merge-patch+json");
        if !is("application/json") && !is_patch {
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

/// The scheme and the host of a URL as the runtime writes it.
fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(host..).unwrap_or_default();
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..host + length).unwrap_or_default()
}

/// The path of a URL as the runtime writes it: absolute, its host without a slash.
fn path_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(host..).unwrap_or_default();
    let path = rest.find('/').and_then(|at| rest.get(at..));
    path.and_then(|path| path.split(['?', '#']).next())
        .unwrap_or("/")
}

/// A part of a URL as logs and error messages may contain it: one that contains a key, sent there by
/// mistake, is hidden.
pub fn redacted(part: &str) -> &str {
    if percent_decode_str(part).decode_utf8_lossy().contains("cl_") {
        "(hidden: it looks like a key)"
    } else {
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_as_it_was_sent() {
        for (url, path) in [
            ("http://a/v1/models?x=/y", "/v1/models"),
            ("https://a:8/v1//%63hat/", "/v1//%63hat/"),
            ("http://a", "/"),
            ("http://a/#/b", "/"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
        for url in [
            "https://a:8",
            "https://a:8/",
            "https://a:8/b?c",
            "https://a:8#/",
        ] {
            assert_eq!(origin_of(url), "https://a:8", "{url}");
        }
    }

    fn with(headers: &[(&str, &str)]) -> RequestHead {
        RequestHead::new("POST", "/", headers.iter().copied())
    }

    #[test]
    fn a_patch_may_be_a_merge_patch() {
        let merge_patch = [(
            "content-type",
            "application/merge-patch+json; charset=utf-8",
        )];
        for (method, is_accepted) in [("PATCH", true), ("PUT", false), ("POST", false)] {
            let head = RequestHead::new(method, "/", merge_patch);
            assert_eq!(head.require_json().is_ok(), is_accepted, "{method}");
        }
    }

    #[test]
    fn only_plain_json_is_accepted() {
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
