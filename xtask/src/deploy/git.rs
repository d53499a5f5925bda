//! What the checkout is: its commit, whether it has changes, and older versions of files.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{deploy::environment, layout::Layout, process::capture};

/// Digits of a commit in tags of versions and in the build stamp.
const DIGITS: usize = 12;

/// Longest description of a version, in characters.
const MAX_SUBJECT_CHARS: usize = 100;

/// The end of the name of a commit with uncommitted changes.
pub(crate) const DIRTY: &str = "-dirty";

/// The commit to deploy.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// Its first digits, with `-dirty` after uncommitted changes.
    pub(crate) tag: String,
    /// The first line of its message.
    pub(crate) subject: String,
}

/// The checked-out commit.
pub(crate) fn head(layout: &Layout) -> Result<Commit> {
    let hash = git(layout, &["rev-parse", "HEAD"])
        .context("can't read the commit: deploy from a clone of the repository")?;
    let subject = git(layout, &["log", "-1", "--format=%s"])?;
    let mut tag: String = hash.trim().chars().take(DIGITS).collect();
    if !changes(layout)?.is_empty() {
        tag.push_str(DIRTY);
    }
    let subject = subject.trim().chars().take(MAX_SUBJECT_CHARS).collect();
    Ok(Commit { tag, subject })
}

/// The files with uncommitted changes, except the one that a deployment writes ids into.
pub(crate) fn changes(layout: &Layout) -> Result<Vec<String>> {
    let status = git(
        layout,
        &["status", "--porcelain", "--untracked-files=normal"],
    )?;
    let files = status.lines().filter_map(|line| line.get(3..));
    Ok(files
        .filter(|file| *file != environment::FILE)
        .map(str::to_owned)
        .collect())
}

/// Whether the clone has a commit.
pub(crate) fn has(layout: &Layout, commit: &str) -> bool {
    git(layout, &["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_ok()
}

/// A file at a commit; `None` if it did not exist.
pub(crate) fn show(layout: &Layout, commit: &str, path: &str) -> Option<String> {
    git(layout, &["show", &format!("{commit}:{path}")]).ok()
}

/// The names of the files in a folder at a commit.
pub(crate) fn list(layout: &Layout, commit: &str, folder: &str) -> Result<Vec<String>> {
    let names = git(
        layout,
        &["ls-tree", "--name-only", commit, &format!("{folder}/")],
    )?;
    Ok(names.lines().map(str::to_owned).collect())
}

fn git(layout: &Layout, arguments: &[&str]) -> Result<String> {
    capture(
        Command::new("git")
            .args(arguments)
            .current_dir(layout.root()),
    )
}
