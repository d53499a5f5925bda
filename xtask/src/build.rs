//! `cargo xtask build`: the three Workers as bundles.

use anyhow::Result;
use clap::Args;

use crate::{
    bundle::{self, Profile},
    layout::Layout,
    progress::Progress,
    tools::{BuildTools, npm, rust},
    turn::Turn,
};

/// What to build.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Optimise, as for a deployment
    #[arg(long)]
    release: bool,
    /// Build the gateway with routes that fail on purpose, for the tests, into build/test
    #[arg(long, conflicts_with = "release")]
    faults: bool,
}

/// Builds and prints the size of each bundle.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let _turn = Turn::take(layout, progress)?;
    rust::wasm_target_ready(progress)?;
    npm::ready(layout, progress)?;
    let tools = BuildTools::ready(layout, progress)?;
    if arguments.faults {
        let bundle = bundle::build(layout, &tools, "gateway", Profile::Faults, progress)?;
        println!("{}", bundle.folder.display());
        return Ok(());
    }
    let profile = if arguments.release {
        Profile::Release
    } else {
        Profile::Development
    };
    for bundle in bundle::build_all(layout, &tools, profile, progress)? {
        println!(
            "{:<14} {:>5} KB gzipped  {}",
            bundle.worker,
            bundle.gzipped_size()?.div_ceil(1000),
            bundle.folder.display()
        );
    }
    Ok(())
}
