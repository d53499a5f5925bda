//! `/widget/v1.2.3/…` and `/widget/v1/…`: the widget's own files, embedded in the bundle.
//!
//! The files of a release never change, and are for use with integrity hashes. A path with a major version has
//! the newest version, is cached for minutes and never used with such a hash; so are the files of the version
//! that is not released yet.

use std::borrow::Cow;

use clawless_core::{ApiError, ErrorCode};
use clawless_edge::http::reference::accepts;
use clawless_edge::http::{Body, HttpResponse};

use crate::service::WidgetCall;
use crate::version::{Version, major};

/// Path below `/widget/` of every file, whether it is released, and its content. A name that ends with `.br` has
/// the content of the other file, compressed by brotli.
type Files = &'static [(&'static str, bool, &'static [u8])];

/// All files of all versions.
const FILES: Files = include!(concat!(env!("OUT_DIR"), "/files.rs"));

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const SHORT: &str = "public, max-age=300, stale-while-revalidate=3600";

/// Serves a file of the widget.
///
/// # Errors
/// 404 for an unknown version or file.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn show(call: &WidgetCall) -> Result<HttpResponse, ApiError> {
    let (version, file) = (call.param("version"), call.param("file"));
    let found = find(FILES, version, file).ok_or_else(not_found)?;
    let content_type = content_type(file).ok_or_else(not_found)?;
    let (content, cache) = found;
    // The best compression takes seconds, so the build does it.
    let small = find(FILES, version, &format!("{file}.br"));
    let small = small.filter(|_| accepts(&call.head, "br"));
    let response = match small {
        None => HttpResponse::new(200, Body::Bytes(content_type, Cow::Borrowed(content))),
        Some((content, _)) => HttpResponse::new(200, Body::Encoded(content_type, content))
            .with_header("content-encoding", "br"),
    };
    // Integrity hashes need CORS.
    Ok(public(response)
        .with_header("vary", "accept-encoding")
        .with_header("cache-control", cache))
}

/// The content of a file and how it is cached.
fn find(files: Files, version: &str, file: &str) -> Option<(&'static [u8], &'static str)> {
    let (version, is_exact) = match major(version) {
        Some(major) => (newest(files, major)?, false),
        None => (version, true),
    };
    let path = format!("{version}/{file}");
    let (_, is_released, content) = files.iter().find(|(name, ..)| *name == path)?;
    let is_final = is_exact && *is_released;
    Some((content, if is_final { IMMUTABLE } else { SHORT }))
}

/// The newest version of a major version, as paths name it.
fn newest(files: Files, major: u32) -> Option<&'static str> {
    let names = files.iter().filter_map(|(path, ..)| path.split('/').next());
    let versions = names.filter_map(|name| Some((name.parse::<Version>().ok()?, name)));
    let newest = versions.filter(|(version, _)| version.major == major).max();
    newest.map(|(_, name)| name)
}

/// The content type of a file, by its name; `None` for files that the widget does not have.
pub(crate) fn content_type(file: &str) -> Option<&'static str> {
    match file.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "json" => Some("application/json"),
        _ => None,
    }
}

/// A response that any site may use.
pub(crate) fn public(response: HttpResponse) -> HttpResponse {
    response
        .with_header("access-control-allow-origin", "*")
        .with_header("cross-origin-resource-policy", "cross-origin")
        .with_header("x-content-type-options", "nosniff")
}

/// The error for an unknown version or file.
pub(crate) fn not_found() -> ApiError {
    ApiError::new(ErrorCode::RouteNotFound, "There is no such file.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASES: Files = &[
        ("v1.0.0/loader.js", true, b"1.0"),
        ("v1.10.0/loader.js", true, b"1.10"),
        ("v1.10.0/locales/de.json", true, b"{}"),
        ("v1.9.0/loader.js", true, b"1.9"),
        ("v2.0.0/loader.js", true, b"2.0"),
        ("v2.1.0/loader.js", false, b"2.1"),
    ];

    #[test]
    fn every_released_version_stays_available() {
        for (path, _, content) in RELEASES.iter().filter(|(_, is_released, _)| *is_released) {
            let (version, file) = path.split_once('/').expect("a path");
            let found = find(RELEASES, version, file);
            assert_eq!(found, Some((*content, IMMUTABLE)), "{path}");
        }
    }

    #[test]
    fn a_version_that_is_not_released_is_cached_for_minutes() {
        let loader = |version| find(RELEASES, version, "loader.js");
        assert_eq!(loader("v2.1.0"), Some((b"2.1".as_slice(), SHORT)));
        assert_eq!(loader("v2.0.0"), Some((b"2.0".as_slice(), IMMUTABLE)));
    }

    #[test]
    fn major_version_has_the_newest_release_and_is_cached_for_minutes() {
        let loader = |version| find(RELEASES, version, "loader.js");
        assert_eq!(loader("v1"), Some((b"1.10".as_slice(), SHORT)));
        assert_eq!(loader("v2"), Some((b"2.1".as_slice(), SHORT)));
        for unknown in ["v3", "v1.0.1", "v1.1", "1", "v", "latest", ""] {
            assert_eq!(loader(unknown), None, "{unknown}");
        }
        assert_eq!(
            find(RELEASES, "v1", "locales/de.json"),
            Some((b"{}".as_slice(), SHORT))
        );
        assert_eq!(find(RELEASES, "v1", "locales"), None);
    }

    #[test]
    fn only_known_types_are_served() {
        assert_eq!(content_type("locales/de.json"), Some("application/json"));
        for other in ["loader", "loader.html", "a.svg", ""] {
            assert_eq!(content_type(other), None, "{other}");
        }
    }
}
