//! `cargo xtask tidy`: checks the conventions of this repository.

mod bundles;
mod dependencies;
mod format;
mod imports;
mod links;
mod lockfile;
mod logs;
mod observability;
mod promises;
mod rust;
mod source_file;
mod sources;
mod words;

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use self::source_file::files;
use crate::{
    layout::{Layout, WORKERS},
    process::capture,
    progress::Progress,
    stack::config,
    tools::rust::cargo,
};

/// Checks all rules and prints one line per breach.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    let mut breaches = 0;
    for (rule, found) in check(layout)? {
        let mark = if found.is_empty() { "✓" } else { "✗" };
        progress.line(format!("  {mark} {rule}"));
        for breach in &found {
            progress.line(format!("      {breach}"));
        }
        breaches += found.len();
    }
    if breaches > 0 {
        bail!("{breaches} breaches: see above");
    }
    Ok(())
}

/// The rules with their breaches.
fn check(layout: &Layout) -> Result<[(&'static str, Vec<String>); 16]> {
    let files = files(layout)?;
    let metadata = metadata(layout)?;
    Ok([
        (
            "dependencies point inward",
            dependencies::directions(&metadata),
        ),
        (
            "test features are off by default",
            dependencies::test_features(&metadata),
        ),
        ("files are short", sources::long_files(&files)),
        (
            "ARCHITECTURE.md is short",
            sources::long_architecture(&files),
        ),
        ("Workers use the clock port", sources::wall_clocks(&files)),
        ("no unfinished work", sources::unfinished(&files)),
        (
            "every Rust file is as rustfmt writes it",
            format::changed(&files)?,
        ),
        ("no import cycles", imports::cycles(&files)),
        ("words are plain", words::unwanted(&files)),
        (
            "docs/logs.md lists the log messages",
            logs::unlisted(&files),
        ),
        (
            "docs/logs.md describes the fields of log messages",
            logs::undescribed_fields(&files),
        ),
        (
            "links have a target",
            links::broken(&files, |path| layout.at(path).exists()),
        ),
        (
            "tables of faults and attacks name existing tests",
            promises::broken(&files),
        ),
        (
            "package-lock.json is complete and has no URLs",
            lockfile::breaches(&lockfile(layout)?),
        ),
        (
            "production configurations store no query strings",
            query_strings(layout)?,
        ),
        (
            "release bundles have no test code",
            bundles::test_code(layout),
        ),
    ])
}

fn query_strings(layout: &Layout) -> Result<Vec<String>> {
    let breaches = WORKERS.into_iter().map(|worker| {
        let config = config::read(layout, worker)?;
        Ok(observability::breaches(worker, config))
    });
    Ok(breaches.collect::<Result<Vec<_>>>()?.concat())
}

pub(crate) use logs::DOCUMENT as LOGS;

/// The rows that `docs/logs.md` should have.
pub(crate) fn log_rows(layout: &Layout) -> Result<Vec<String>> {
    Ok(logs::rows(&files(layout)?))
}

fn metadata(layout: &Layout) -> Result<Value> {
    let mut command = cargo();
    command
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(layout.root());
    serde_json::from_str(&capture(&mut command)?)
        .context("the output of cargo metadata is not valid")
}

fn lockfile(layout: &Layout) -> Result<Value> {
    let text = fs::read_to_string(layout.at("package-lock.json"))
        .context("package-lock.json is missing")?;
    serde_json::from_str(&text).context("package-lock.json is not JSON")
}
