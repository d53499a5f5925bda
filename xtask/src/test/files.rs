//! The test files of JavaScript.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use crate::layout::Layout;

/// The test files of a folder. An empty folder is an error, since a run without tests would pass.
pub(super) fn test_files(layout: &Layout, folder: &str) -> Result<Vec<PathBuf>> {
    let path = layout.at(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("can't read {}", path.display()))?;
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with(".test.mjs");
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_test)
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{folder} has no test files");
    }
    Ok(files)
}
