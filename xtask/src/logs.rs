//! `cargo xtask logs`: the table of `docs/logs.md`, as the code has it.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use crate::{layout::Layout, tidy};

/// Where the rows go.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Replace the rows of docs/logs.md instead of printing them
    #[arg(long)]
    write: bool,
}

/// Prints or writes the rows. Keeps the last cells, which say when a message is logged.
pub(crate) fn run(layout: &Layout, arguments: &Arguments) -> Result<()> {
    let rows = tidy::log_rows(layout)?;
    if !arguments.write {
        println!("{}", rows.join("\n"));
        return Ok(());
    }
    let path = layout.at(tidy::LOGS);
    let text =
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    let is_row = |line: &&str| line.starts_with("| `");
    let before: Vec<&str> = text.lines().take_while(|line| !is_row(line)).collect();
    let after: Vec<&str> = text.lines().skip(before.len()).skip_while(is_row).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let lines = [before, rows, after].concat();
    fs::write(&path, lines.join("\n") + "\n")
        .with_context(|| format!("can't write {}", path.display()))
}
