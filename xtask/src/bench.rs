//! `cargo xtask bench`: compares the gateway with a forwarding Worker and with Portkey's gateway, and
//! measures the ledger's throughput, the latency of revocations, the storage calls and time of a turn, the
//! chat widget's use of the main thread, and the size and start-up of each Worker.
//!
//! Runs plain `workerd serve`, since the proxy and log of `wrangler dev` cost more than the gateway.

mod comparison;
mod environment;
mod figures;
mod http;
mod load;
mod native;
mod npm_package;
mod objects;
mod portkey;
mod process;
mod report;
mod revocation;
mod runtime;
mod startup;
mod turns;
mod upstream;
mod widget;
mod worker_config;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    build_lock::BuildLock,
    bundle::{self, Profile},
    layout::Layout,
    progress::Progress,
    tools::{BuildTools, npm, rust},
};

use self::{comparison::Load, environment::Environment, report::Report};

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Rounds per target
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Requests per round
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    requests: u32,
    /// Concurrent connections
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Also measure an earlier build of the gateway, such as `build/release/gateway` of another checkout
    #[arg(long, value_name = "FOLDER")]
    against: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// Builds the release, measures it and prints the results.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let _lock = BuildLock::acquire(layout, progress)?;
    rust::wasm_target_ready(progress)?;
    npm::ready(layout, progress)?;
    let tools = BuildTools::ready(layout, progress)?;
    let bundles = bundle::build_all(layout, &tools, Profile::Release, progress)?;
    let gateway = bundles
        .iter()
        .find(|bundle| bundle.worker == "gateway")
        .context("no gateway was built")?;
    let load = Load {
        rounds: arguments.rounds.into(),
        requests: usize::try_from(arguments.requests)?,
        connections: arguments.connections.into(),
    };
    let native = native::measure(layout, progress)?;
    let turns = turns::measure(layout, progress)?;
    let widget = widget::measure(layout, progress);
    if let Err(error) = &widget {
        eprintln!("The chat widget is skipped: {error:#}");
    }
    let environment = Environment::start(layout, gateway, arguments.against.as_deref(), progress)?;
    let report = Report {
        effort: load,
        comparisons: comparison::run(&environment, load, progress)?,
        objects: objects::measure(&environment.gateway, load, progress)?,
        revocations: revocation::measure(&environment, layout, progress)?,
        native,
        turns,
        widget: widget.ok(),
        footprints: startup::measure(layout, &bundles, progress)?,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report::print(&report);
    }
    Ok(())
}
