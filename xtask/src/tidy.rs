//! `cargo xtask tidy`: the conventions of the house that a program can check.

mod bundles;
mod dependencies;
mod links;
mod lockfile;
mod promises;
mod sources;

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{layout::Layout, process::capture, progress::Progress, tools::rust::cargo};

/// A file of the checkout that git knows or would add.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// Its content; files that are no text are left out.
    pub(crate) text: String,
}

/// Checks everything and prints each breach on a line of its own.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    let files = files(layout)?;
    let metadata = metadata(layout)?;
    let rules: [(&str, Vec<String>); 10] = [
        (
            "dependencies point inward",
            dependencies::directions(&metadata),
        ),
        (
            "the release has no test-only features",
            dependencies::test_features(&metadata),
        ),
        ("files do one thing", sources::long_files(&files)),
        (
            "ARCHITECTURE.md fits on a few pages",
            sources::long_architecture(&files),
        ),
        (
            "Workers take the time from the clock port",
            sources::wall_clocks(&files),
        ),
        ("nothing is left undone", sources::undone(&files)),
        (
            "links lead somewhere",
            links::broken(&files, |path| layout.at(path).exists()),
        ),
        (
            "faults and attacks name tests that exist",
            promises::broken(&files),
        ),
        (
            "package-lock.json is whole and names no address",
            lockfile::breaches(&lockfile(layout)?),
        ),
        (
            "the built release has no test code",
            bundles::test_code(layout),
        ),
    ];
    let mut breaches = 0;
    for (rule, found) in &rules {
        progress.line(format!(
            "  {} {rule}",
            if found.is_empty() { "✓" } else { "✗" }
        ));
        for breach in found {
            progress.line(format!("      {breach}"));
        }
        breaches += found.len();
    }
    if breaches > 0 {
        bail!("{breaches} breaches of the house's rules: see above");
    }
    Ok(())
}

fn metadata(layout: &Layout) -> Result<Value> {
    let mut command = cargo();
    command
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(layout.root());
    serde_json::from_str(&capture(&mut command)?).context("cargo metadata printed something else")
}

fn files(layout: &Layout) -> Result<Vec<SourceFile>> {
    let mut command = Command::new("git");
    command
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(layout.root());
    let names = capture(&mut command)?;
    let read = |path: &str| {
        Some(SourceFile {
            path: path.to_owned(),
            text: fs::read_to_string(layout.at(path)).ok()?,
        })
    };
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty())
        .filter_map(read)
        .collect())
}

fn lockfile(layout: &Layout) -> Result<Value> {
    let text = fs::read_to_string(layout.at("package-lock.json"))
        .context("package-lock.json is missing")?;
    serde_json::from_str(&text).context("package-lock.json is no JSON")
}

impl SourceFile {
    /// Whether the file's name ends in a dot and `extension`.
    fn is(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }
}

#[cfg(test)]
fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
