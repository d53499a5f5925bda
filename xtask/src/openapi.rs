//! `cargo xtask openapi`: the API's description and reference pages, from the routes tables.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{layout::Layout, tools::rust::cargo};

/// Arguments of `openapi`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Fail if the files differ instead of writing them
    #[arg(long)]
    check: bool,
}

/// Builds the program that links the routes tables, and runs it.
pub(crate) fn run(layout: &Layout, arguments: &Arguments) -> Result<()> {
    let status = command(layout, arguments.check).status();
    let status = status.context("can't run cargo")?;
    ensure!(status.success(), "the API's description was not generated");
    Ok(())
}

/// The program with its arguments.
pub(crate) fn command(layout: &Layout, check: bool) -> Command {
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--package", "clawless-openapi", "--"])
        .arg(if check { "check" } else { "write" })
        .arg(layout.root())
        .current_dir(layout.root());
    command
}
