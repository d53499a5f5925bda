//! `docs/errors.md` is made of the catalogue of errors. `CLAWLESS_WRITE_DOCS=1 cargo test -p
//! clawless-core --test error_catalogue` writes it anew.
#![allow(
    clippy::expect_used,
    reason = "what is not as expected must stop the test"
)]

use std::fmt::Write;
use std::{env, fs, path::Path};

use clawless_core::ErrorCode;
use clawless_core::error::ErrorKind;

/// What the kinds are called, in the order of the page.
const KINDS: [(ErrorKind, &str); 8] = [
    (
        ErrorKind::Validation,
        "The request is not right (`ValidationError`)",
    ),
    (
        ErrorKind::Authentication,
        "Nobody knows who asks (`AuthenticationError`)",
    ),
    (
        ErrorKind::Permission,
        "Who asks may not do this (`PermissionError`)",
    ),
    (
        ErrorKind::NotFound,
        "There is no such thing (`NotFoundError`)",
    ),
    (
        ErrorKind::Conflict,
        "Something else came first (`ConflictError`)",
    ),
    (
        ErrorKind::RateLimit,
        "Too much or too fast (`RateLimitError`)",
    ),
    (ErrorKind::Internal, "Our own fault (`InternalError`)"),
    (
        ErrorKind::Upstream,
        "A model provider's fault (`UpstreamError`)",
    ),
];

const HEAD: &str = "# Errors

Made of the catalogue in `crates/clawless-core/src/error/code.rs`; a test fails where the two differ. To change
a line, change it there and run `CLAWLESS_WRITE_DOCS=1 cargo test -p clawless-core --test error_catalogue`.

Every error is `{\"error\": {\"message\", \"type\", \"param\", \"code\"}}` under the status of its code, with
the request's id in `x-request-id`. `code` never changes its meaning; `message` is for people. Where waiting
helps, `retry-after` (seconds) and `retry-after-ms` say how long. `x-should-retry: false` keeps the official
SDKs from trying again what cannot succeed. Nothing internal is ever in an answer; the log has it under the
request's id.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (kind, title) in KINDS {
        write!(page, "\n## {title}\n\n| status | `code` | `type` | why | what to do |\n|---|---|---|---|---|\n")
            .expect("a string takes everything");
        let codes = ErrorCode::ALL.iter().filter(|code| code.kind() == kind);
        for code in codes {
            let (status, name, r#type) = (code.status(), code.as_str(), code.error_type());
            let (why, remedy) = (code.why(), code.remedy());
            writeln!(
                page,
                "| {status} | `{name}` | `{type}` | {why} | {remedy} |"
            )
            .expect("a string takes everything");
        }
    }
    page
}

#[test]
fn every_code_is_documented_as_the_catalogue_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let page = page();
    for code in ErrorCode::ALL {
        assert!(
            page.contains(&format!("| `{code}` |")),
            "{code} is of no kind on the page"
        );
    }
    if env::var_os("CLAWLESS_WRITE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).expect("docs/errors.md is there");
    assert_eq!(written, page, "docs/errors.md differs from the catalogue");
}
