//! Main-thread time of the chat widget while a long answer arrives, beside that of a published widget.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::npm_package;
use crate::{
    layout::Layout,
    progress::Progress,
    tools::{chromium, npm},
};

/// The published widget.
const PACKAGE: &str = "deep-chat@2.4.2";

/// Main-thread time in Chromium for an answer of 16 KB in 4,000 chunks, as `bench/widget.mjs` prints it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WidgetTimes {
    /// Of our widget: the median of some answers of many paragraphs.
    pub(super) ours_ms: f64,
    /// The kind of answer that takes our widget longest, such as a table.
    pub(super) worst: String,
    /// Its median.
    pub(super) worst_ms: f64,
    /// Name and version of the published widget.
    pub(super) other: String,
    /// Of the published widget: one answer.
    pub(super) other_ms: f64,
}

/// Measures both widgets in one browser.
pub(super) fn measure(layout: &Layout, progress: &Progress) -> Result<WidgetTimes> {
    let folder = npm_package::install(layout, "deep-chat", PACKAGE, progress)?;
    let browser = chromium::ready(layout, progress)?;
    let task = progress.task("Chat widget");
    let output = Command::new(npm::node(layout)?)
        .arg(layout.at("bench/widget.mjs"))
        .arg(folder)
        .env("CLAWLESS_CHROMIUM", browser)
        .current_dir(layout.root())
        .output()
        .context("can't start bench/widget.mjs")?;
    ensure!(
        output.status.success(),
        "bench/widget.mjs failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    task.done();
    serde_json::from_slice(&output.stdout).context("bench/widget.mjs printed no figures")
}
