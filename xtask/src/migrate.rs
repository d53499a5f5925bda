//! `cargo xtask migrate`: applies pending database migrations.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{
    deploy::{self, target::Selection},
    layout::Layout,
    progress::Progress,
    stack::{database, state::State},
    tools::npm,
};

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The local database (the default)
    #[arg(long, conflicts_with = "remote")]
    local: bool,
    /// The deployed database; wrangler must be logged in
    #[arg(long)]
    remote: bool,
    #[command(flatten)]
    selection: Selection,
    /// State folder of the local stack [default: .clawless]
    #[arg(long, value_name = "DIR", conflicts_with = "remote")]
    state: Option<PathBuf>,
}

/// Applies pending migrations.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    npm::ready(layout, progress)?;
    let state = State::new(
        &arguments
            .state
            .clone()
            .unwrap_or_else(|| layout.default_state()),
    )?;
    if arguments.remote {
        return deploy::migrate(layout, &arguments.selection, progress);
    }
    state.protect()?;
    database::migrate(layout, &state, progress)?;
    progress.line("The local database is up to date.");
    Ok(())
}
