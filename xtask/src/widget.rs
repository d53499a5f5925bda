//! Builds the chat widget, whose files the bundle of `widget-server` embeds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    layout::Layout,
    process::run_logged,
    progress::Progress,
    stamp::{Stamp, digest_of},
    tools::npm,
};

/// Runs the widget's build with another folder for its result.
const BUILD: &str =
    "import { buildWidget } from './widget/build.mjs'; await buildWidget('build/widget');";

/// What the build reads, below `widget/`.
const SOURCES: [&str; 4] = ["build.mjs", "package.json", "src", "locales"];

/// Builds `build/widget/` unless the widget's sources are unchanged: Cargo would compile the Worker again. Not
/// `widget/dist/`, which the widget's own tests build.
pub(crate) fn build(layout: &Layout, progress: &Progress) -> Result<()> {
    let folder = layout.at("widget");
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&folder.join(source), &mut files)?;
    }
    files.sort();
    let digests = files
        .iter()
        .map(|file| Ok(format!("{} {}", file.display(), digest_of(file, |_| ())?)))
        .collect::<Result<Vec<_>>>()?;
    let lockfile = digest_of(&layout.at("package-lock.json"), |_| ())?;
    let inputs = format!("{}\n{lockfile}", digests.join("\n"));
    let stamp = Stamp::new(layout.at("build/widget.stamp"), inputs);
    if stamp.is_current() && layout.at("build/widget/cdn").is_dir() {
        return Ok(());
    }
    let task = progress.task("chat widget");
    let mut command = Command::new(npm::node(layout)?);
    command
        .args(["--input-type=module", "--eval", BUILD])
        .current_dir(layout.root())
        .env("PATH", npm::path_with_node(layout)?);
    run_logged(
        &mut command,
        &layout.at(".clawless/logs/build-widget.log"),
        Some(&task),
    )?;
    stamp.set()?;
    task.done();
    Ok(())
}

/// Adds a file, or all files of a folder.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("{} is missing", path.display()))? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}
