//! What needs no runtime: `clawless-bench`, a program of the product, measures itself.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    tools::rust::cargo,
};

/// How many chunks are relayed to count the instructions of one: the difference of two runs.
const CHUNKS: [u32; 2] = [1000, 11_000];

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Native {
    /// The machine's work for an admission, its row included, in nanoseconds.
    pub(super) admit_ns: f64,
    /// The same for a settlement.
    pub(super) settle_ns: f64,
    /// One chunk of a stream: decoded, kept, written.
    pub(super) chunk_ns: f64,
    /// The same in instructions; absent without valgrind.
    #[serde(default)]
    pub(super) chunk_instructions: Option<f64>,
    /// Sets of labelled requests, and what the classifier takes them for.
    pub(super) classifier: Value,
}

/// Builds and runs it.
pub(super) fn measure(layout: &Layout, progress: &Progress) -> Result<Native> {
    let task = progress.task("The ledger's machine, one chunk, the classifier");
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
        serde_json::from_str(&report).context("clawless-bench printed something else")?;
    native.chunk_instructions = instructions(&program, layout);
    task.done();
    Ok(native)
}

/// Instructions that one chunk takes; none where valgrind is absent or says nothing.
fn instructions(program: &PathBuf, layout: &Layout) -> Option<f64> {
    let [few, many] = CHUNKS.map(|chunks| counted(program, layout, chunks));
    Some((many? - few?) / f64::from(CHUNKS[1] - CHUNKS[0]))
}

fn counted(program: &PathBuf, layout: &Layout, chunks: u32) -> Option<f64> {
    let file = layout.at(".clawless/logs/callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["chunks", &chunks.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let (_, count) = said.split_once("Collected : ")?;
    count.split_whitespace().next()?.parse().ok()
}
