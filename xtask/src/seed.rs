//! `cargo xtask seed`: puts the demo tenant into the local database.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{
    layout::Layout,
    progress::Progress,
    stack::{database, state::State},
    tools::npm,
};

/// Where the database is.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder with the local state [default: .clawless]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Migrates first, then seeds and prints the demo tenant's keys.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    npm::ready(layout, progress)?;
    let state = State::new(
        &arguments
            .state
            .clone()
            .unwrap_or_else(|| layout.default_state()),
    )?;
    database::migrate(layout, &state, progress)?;
    let keys = database::seed(layout, &state, progress)?;
    println!("{}", serde_json::to_string_pretty(&keys)?);
    Ok(())
}
