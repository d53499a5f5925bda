//! Checks that `docs/errors.md` matches the error catalogue. `CLAWLESS_WRITE_DOCS=1 cargo test -p
//! clawless-core --test error_catalogue` regenerates it.
#![allow(clippy::expect_used, reason = "a test may fail")]

use std::fmt::Write;
use std::{env, fs, path::Path};

use clawless_core::ErrorCode;
use clawless_core::error::ErrorKind;

/// Headings of the error kinds, in page order.
const KINDS: [(ErrorKind, &str); 8] = [
    (ErrorKind::Validation, "Invalid request (`ValidationError`)"),
    (
        ErrorKind::Authentication,
        "Authentication failed (`AuthenticationError`)",
    ),
    (
        ErrorKind::Permission,
        "Permission denied (`PermissionError`)",
    ),
    (ErrorKind::NotFound, "Not found (`NotFoundError`)"),
    (ErrorKind::Conflict, "Conflict (`ConflictError`)"),
    (
        ErrorKind::RateLimit,
        "Rate limit or quota exceeded (`RateLimitError`)",
    ),
    (ErrorKind::Internal, "Internal error (`InternalError`)"),
    (ErrorKind::Upstream, "Provider error (`UpstreamError`)"),
];

const HEAD: &str = "# Errors

Generated from `crates/clawless-core/src/error/code.rs`; a test fails if the two differ. To change an
entry, change it there and run `CLAWLESS_WRITE_DOCS=1 cargo test -p clawless-core --test error_catalogue`.

Every error is `{\"error\": {\"message\", \"type\", \"param\", \"code\"}}` under the status of its code, with
the request id in `x-request-id`. The meaning of a `code` is stable; `message` is for people. If a retry can
succeed, `retry-after` (seconds) and `retry-after-ms` contain the delay. `x-should-retry: false` prevents the
official SDKs from retrying requests that cannot succeed. Responses never contain internal details; the log
contains them under the request id.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (kind, title) in KINDS {
        write!(page, "\n## {title}\n\n| status | `code` | `type` | cause | solution |\n|---|---|---|---|---|\n")
            .expect("writing to a string");
        let codes = ErrorCode::ALL.iter().filter(|code| code.kind() == kind);
        for code in codes {
            let (status, name, r#type) = (code.status(), code.as_str(), code.error_type());
            let (why, remedy) = (code.why(), code.remedy());
            writeln!(
                page,
                "| {status} | `{name}` | `{type}` | {why} | {remedy} |"
            )
            .expect("writing to a string");
        }
    }
    page
}

#[test]
fn documentation_matches_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let page = page();
    for code in ErrorCode::ALL {
        assert!(
            page.contains(&format!("| `{code}` |")),
            "{code} is missing from the page"
        );
    }
    if env::var_os("CLAWLESS_WRITE_DOCS").is_some() {
        fs::write(&path, &page).expect("write docs/errors.md");
    }
    let written = fs::read_to_string(&path).expect("read docs/errors.md");
    assert_eq!(written, page, "docs/errors.md differs from the catalogue");
}
