//! The files that the rules read.

use std::{fs, path::Path, process::Command};

use anyhow::Result;

use crate::{layout::Layout, process::capture};

/// A text file of the checkout, tracked or not ignored.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Its path from the root, with `/` as separator.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether the file has this extension.
    pub(super) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }
}

/// Reads all files.
pub(super) fn files(layout: &Layout) -> Result<Vec<SourceFile>> {
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

#[cfg(test)]
pub(super) fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
