//! `cargo xtask seed`: inserts the demo tenant into the local database.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{
    layout::Layout,
    progress::Progress,
    stack::{database, state::State},
    tools::npm,
};

/// Arguments of `seed`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// State folder of the local stack [default: .clawless]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Migrates and seeds the database, and prints the demo tenant's keys.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    npm::ready(layout, progress)?;
    let state = State::new(
        &arguments
            .state
            .clone()
            .unwrap_or_else(|| layout.default_state()),
    )?;
    state.protect()?;
    database::migrate(layout, &state, progress)?;
    let keys = database::seed(layout, &state, progress)?;
    println!("{}", serde_json::to_string_pretty(&keys)?);
    Ok(())
}
