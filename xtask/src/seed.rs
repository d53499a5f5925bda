//! `cargo xtask seed`: inserts the demo tenant into the local database.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{
    layout::Layout,
    progress::Progress,
    stack::{database, ready, state::State},
    tools::npm,
};

/// Arguments of `seed`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// State folder of the local stack [default: .clawless]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Port of the gateway, whose pages may use the public key
    #[arg(long, default_value_t = ready::DEFAULT_PORT)]
    port: u16,
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
    let origins = database::own_origins(arguments.port);
    let keys = database::seed(layout, &state, &origins, progress)?;
    println!("{}", serde_json::to_string_pretty(&keys)?);
    Ok(())
}
