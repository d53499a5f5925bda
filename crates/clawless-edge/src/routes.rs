//! A Worker's table of contents, and how a request finds its row.
//!
//! Paths are compared as they were sent: an alias by `//`, case or escapes is another path, and
//! names nothing. Only what stands for a parameter is decoded.

use std::borrow::Cow;

use clawless_core::{ApiError, ErrorCode};
use percent_encoding::percent_decode_str;

/// The method of a row whose route looks at the method itself.
pub const ANY: &str = "*";

/// Every path of a Worker, each with the methods that it takes and the route behind each.
///
/// In a pattern `{id}` is one segment, and `{id…}` at its end is everything from there on; neither
/// may be empty. `{…}` at its end is whatever comes, even nothing, and no parameter. The first row
/// that matches counts.
#[derive(Debug, Clone, Copy)]
pub struct Routes<R: 'static>(pub &'static [(&'static str, Methods<R>)]);

/// The methods of a path. HEAD goes with GET, and OPTIONS with all.
pub type Methods<R> = &'static [(&'static str, R)];

/// A route that was found, and what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a, R> {
    /// The route.
    pub route: R,
    /// What stands for the pattern's parameters, decoded, in their order. Bytes that are not UTF-8
    /// become U+FFFD, which no id holds.
    params: Vec<Cow<'a, str>>,
}

impl<R> Found<'_, R> {
    /// A parameter by its position; empty where the pattern has fewer.
    pub fn param(&self, position: usize) -> &str {
        self.params.get(position).map_or("", |param| param)
    }
}

impl<R: Copy> Routes<R> {
    /// Finds the route of a request.
    ///
    /// # Errors
    /// 404 where the path names nothing, 405 with `allow` where it does not take the method.
    pub fn find<'a>(&self, method: &str, path: &'a str) -> Result<Found<'a, R>, ApiError> {
        let Some((methods, params)) = self.at(path) else {
            return Err(ApiError::new(
                ErrorCode::RouteNotFound,
                format!("Unknown route: {method} {}.", shown(path)),
            ));
        };
        let wanted = if method == "HEAD" { "GET" } else { method };
        let mut taken = methods.iter();
        if let Some((_, route)) = taken.find(|(name, _)| *name == ANY || *name == wanted) {
            return Ok(Found {
                route: *route,
                params,
            });
        }
        let (path, allow) = (shown(path), allow(methods));
        Err(ApiError::new(
            ErrorCode::MethodNotAllowed,
            format!("{path} does not take {method}. Use one of: {allow}."),
        )
        .header("allow", allow))
    }

    /// The `allow` header of a path; none where it names nothing.
    pub fn allowed(&self, path: &str) -> Option<String> {
        self.at(path).map(|(methods, _)| allow(methods))
    }

    fn at<'a>(&self, path: &'a str) -> Option<(Methods<R>, Vec<Cow<'a, str>>)> {
        let mut rows = self.0.iter();
        rows.find_map(|(pattern, methods)| Some((*methods, matches(pattern, path)?)))
    }
}

/// A path as it may be logged and said back. One that holds a key, by somebody's mistake, may not.
pub fn shown(path: &str) -> &str {
    if path.contains("cl_") {
        "(hidden: it looks like a key)"
    } else {
        path
    }
}

/// What stands for the parameters of a pattern, if the path matches it.
fn matches<'a>(pattern: &str, path: &'a str) -> Option<Vec<Cow<'a, str>>> {
    let decode = |text: &'a str| percent_decode_str(text).decode_utf8_lossy();
    let (mut params, mut rest) = (Vec::new(), path);
    for wanted in pattern.split('/').skip(1) {
        rest = rest.strip_prefix('/')?;
        if wanted == "{…}" {
            return Some(params);
        }
        if wanted.starts_with('{') && wanted.ends_with("…}") {
            params.push(decode(rest));
            return (!rest.is_empty()).then_some(params);
        }
        let end = rest.find('/').unwrap_or(rest.len());
        let (segment, after) = rest.split_at(end);
        if wanted.starts_with('{') && !segment.is_empty() {
            params.push(decode(segment));
        } else if segment != wanted {
            return None;
        }
        rest = after;
    }
    rest.is_empty().then_some(params)
}

fn allow<R>(methods: Methods<R>) -> String {
    let mut names = Vec::with_capacity(methods.len() + 2);
    for (method, _) in methods {
        match *method {
            ANY => names.extend(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            "GET" => names.extend(["GET", "HEAD"]),
            other => names.push(other),
        }
    }
    names.push("OPTIONS");
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Routes<&str> = Routes(&[
        ("/things", &[("GET", "list"), ("POST", "create")]),
        ("/things/{id}", &[("GET", "read"), ("DELETE", "delete")]),
        ("/things/{id}/parts/{id}", &[("DELETE", "remove")]),
        ("/files/{id…}", &[("GET", "file")]),
        ("/admin/{…}", &[(ANY, "admin")]),
    ]);

    fn find<'a>(method: &str, path: &'a str) -> (&'static str, Vec<Cow<'a, str>>) {
        let found = TABLE.find(method, path).expect(path);
        (found.route, found.params)
    }

    #[test]
    fn a_path_gives_its_route_and_what_stands_in_it() {
        assert_eq!(find("POST", "/things"), ("create", vec![]));
        assert_eq!(find("HEAD", "/things/a"), ("read", vec!["a".into()]));
        assert_eq!(
            find("DELETE", "/things/a%3Ab/parts/%2F"),
            ("remove", vec!["a:b".into(), "/".into()])
        );
        assert_eq!(
            find("GET", "/files/a/b%2Fc"),
            ("file", vec!["a/b/c".into()])
        );
        for path in ["/admin/", "/admin/x", "/admin/x/y"] {
            assert_eq!(find("FOO", path), ("admin", vec![]));
        }
    }

    #[test]
    fn a_path_has_no_aliases() {
        for alias in [
            "",
            "/",
            "things",
            "//things",
            "/Things",
            "/things/",
            "/things//parts/a",
            "/thing%73",
            "/things/a/parts",
            "/things/a/parts/b/",
            "/files/",
            "/files",
            "/admin",
        ] {
            let error = TABLE.find("GET", alias).expect_err(alias);
            assert_eq!(error.status(), 404, "{alias}");
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        for (path, allow) in [
            ("/things", "GET, HEAD, POST, OPTIONS"),
            ("/things/a", "GET, HEAD, DELETE, OPTIONS"),
            ("/things/a/parts/b", "DELETE, OPTIONS"),
        ] {
            for method in ["TRACE", "PUT", "FOO", "OPTIONS", ANY] {
                let error = TABLE.find(method, path).expect_err(method);
                let expected = vec![("allow", allow.to_owned())];
                assert_eq!((error.status(), error.headers), (405, expected));
            }
            assert_eq!(TABLE.allowed(path).as_deref(), Some(allow));
        }
        assert_eq!(TABLE.allowed("/nothing"), None);
    }

    #[test]
    fn a_key_in_a_path_is_not_said_back() {
        let error = TABLE.find("GET", "/cl_sk_secret").expect_err("no route");
        assert!(!error.message.contains("secret"));
    }
}
