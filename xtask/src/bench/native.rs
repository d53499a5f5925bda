//! Runs `clawless-bench`, which measures code of the product without a runtime.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    tools::rust::cargo,
};

/// Relayed chunks in two runs, whose difference gives the instructions of one chunk.
const CHUNKS: [u32; 2] = [1000, 11_000];

/// Its output.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Native {
    /// Duration of an admission with its row, in nanoseconds.
    pub(super) admit_ns: f64,
    /// Duration of a settlement, in nanoseconds.
    pub(super) settle_ns: f64,
    /// Duration of decoding, collecting and encoding one chunk, in nanoseconds.
    pub(super) chunk_ns: f64,
    /// Instructions per chunk; none without valgrind.
    #[serde(default)]
    pub(super) chunk_instructions: Option<f64>,
    /// Duration of classifying a question of one line, in nanoseconds.
    pub(super) classify_question_ns: f64,
    /// Duration of classifying a long text, in nanoseconds.
    pub(super) classify_long_text_ns: f64,
}

/// Builds and runs `clawless-bench`.
pub(super) fn measure(layout: &Layout, progress: &Progress) -> Result<Native> {
    let task = progress.task("The ledger, one chunk, the classifier");
    let mut build = cargo();
    build
        .args(["build", "--release", "--package", "clawless-bench"])
        .current_dir(layout.root());
    run_logged(
        &mut build,
        &layout.at(".clawless/logs/build-bench.log"),
        Some(&task),
    )?;
    let program = layout.target().join("release/clawless-bench");
    let report = capture(Command::new(&program).arg("all"))?;
    let mut native: Native =
        serde_json::from_str(&report).context("the output of clawless-bench is not valid")?;
    native.chunk_instructions = instructions(&program, layout);
    task.done();
    Ok(native)
}

/// Instructions per chunk; none without valgrind.
fn instructions(program: &PathBuf, layout: &Layout) -> Option<f64> {
    let [few, many] = CHUNKS.map(|chunks| count_instructions(program, layout, chunks));
    Some((many? - few?) / f64::from(CHUNKS[1] - CHUNKS[0]))
}

fn count_instructions(program: &PathBuf, layout: &Layout, chunks: u32) -> Option<f64> {
    let file = layout.at(".clawless/logs/callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["chunks", &chunks.to_string()])
        .output()
        .ok()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let (_, count) = report.split_once("Collected : ")?;
    count.split_whitespace().next()?.parse().ok()
}
