//! `cargo xtask bench`: what the gateway costs beside a Worker that only forwards and beside Portkey's
//! gateway, what its ledger takes in, how quickly a key is revoked, what a turn asks of storage and costs
//! with a session and without, and how big and how quick to start each Worker is.
//!
//! It runs plain `workerd serve`: `wrangler dev` puts a proxy and a log in front that cost more than
//! what is measured.

mod contest;
mod http;
mod load;
mod native;
mod objects;
mod portkey;
mod process;
mod report;
mod revocation;
mod runtime;
mod stage;
mod startup;
mod surroundings;
mod turns;
mod upstream;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::{
    build_lock::BuildLock,
    bundle::{self, Profile},
    layout::Layout,
    progress::Progress,
    tools::{BuildTools, npm, rust},
};

use self::{
    contest::{Comparison, Effort},
    native::Native,
    objects::Objects,
    revocation::Revocations,
    stage::Stage,
    turns::Cost,
};

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How often each Worker is put under load, in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Requests in a round
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    requests: u32,
    /// Connections at once
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    effort: Effort,
    comparisons: Vec<Comparison>,
    objects: Objects,
    revocations: Revocations,
    native: Native,
    turns: Vec<Cost>,
    footprints: Vec<startup::Footprint>,
}

/// Builds what is deployed, measures it and prints the figures.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let _lock = BuildLock::acquire(layout, progress)?;
    rust::wasm_target_ready(progress)?;
    npm::ready(layout, progress)?;
    let tools = BuildTools::ready(layout, progress)?;
    let bundles = bundle::build_all(layout, &tools, Profile::Release, progress)?;
    let gateway = bundles
        .iter()
        .find(|bundle| bundle.worker == "gateway")
        .context("there is a gateway among the Workers")?;
    let effort = Effort {
        rounds: arguments.rounds.into(),
        requests: usize::try_from(arguments.requests)?,
        connections: arguments.connections.into(),
    };
    let native = native::measure(layout, progress)?;
    let turns = turns::measure(layout, progress)?;
    let stage = Stage::set(layout, gateway, progress)?;
    let report = Report {
        effort,
        comparisons: contest::run(&stage, effort, progress)?,
        objects: objects::measure(&stage.gateway, effort, progress)?,
        revocations: revocation::measure(&stage, layout, progress)?,
        native,
        turns,
        footprints: startup::measure(layout, &bundles, progress)?,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report::print(&report);
    }
    Ok(())
}

/// Where the configurations and the databases of a bench lie. Each run writes them anew.
fn scratch(layout: &Layout) -> PathBuf {
    layout.default_state().join("bench")
}

/// The middle one, or the mean of the two in the middle; of nothing, not a number.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (
        values.get(middle),
        middle.checked_sub(1).and_then(|below| values.get(below)),
    ) {
        (Some(high), Some(low)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (Some(value), _) => *value,
        (None, _) => f64::NAN,
    }
}

/// A count as a number with a fraction: exact for every count that a bench can reach.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts here stay far below 2^52"
)]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&mut [4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&mut []).is_nan());
    }
}
