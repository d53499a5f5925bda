//! `cargo xtask build`: the bundles of the three Workers.

use anyhow::Result;
use clap::Args;

use crate::{
    build_lock::BuildLock,
    bundle::{self, Profile},
    layout::Layout,
    progress::Progress,
    sizes,
    tools::{BuildTools, npm, rust},
};

/// Arguments of `build`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Build optimised bundles, as for a deployment, and write build/release/sizes.json
    #[arg(long)]
    release: bool,
    /// Build the gateway with fault injection, for the tests, into build/test
    #[arg(long, conflicts_with = "release")]
    faults: bool,
}

/// Builds the bundles and prints their sizes.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let _lock = BuildLock::acquire(layout, progress)?;
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
    let bundles = bundle::build_all(layout, &tools, profile, progress)?;
    if arguments.release {
        sizes::record(layout, &bundles)?;
    }
    for bundle in bundles {
        println!(
            "{:<14} {:>5} KB gzipped  {}",
            bundle.worker,
            bundle.gzipped_size()?.div_ceil(1000),
            bundle.folder.display()
        );
    }
    Ok(())
}
