//! `cargo xtask classify`: runs `clawless-classifier` on a file of requests.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{layout::Layout, tools::rust::cargo};

/// Arguments of `classify`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Lines of `class<TAB>language<TAB>text`, or of text only
    file: PathBuf,
    /// Print JSON; losses and accuracy are fractions
    #[arg(long)]
    json: bool,
    /// Probability from which a request counts as simple, from 0 to 1
    #[arg(long)]
    threshold: Option<f32>,
    /// Print the rows whose class differs from the label, on standard error
    #[arg(long)]
    errors: bool,
}

/// Builds and runs the program.
pub(crate) fn run(layout: &Layout, arguments: &Arguments) -> Result<()> {
    let file = std::path::absolute(&arguments.file)?;
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--package", "clawless-classifier"])
        .args(["--", "classify"])
        .arg(file)
        .current_dir(layout.root());
    if arguments.json {
        command.arg("--json");
    }
    if arguments.errors {
        command.arg("--errors");
    }
    if let Some(threshold) = arguments.threshold {
        command.arg(format!("--threshold={threshold}"));
    }
    let status = command.status().context("can't run cargo")?;
    ensure!(status.success(), "the requests were not classified");
    Ok(())
}
