//! What `cargo xtask bench` measures without a runtime: the ledger's machine and the way of one
//! chunk in nanoseconds, and how often the classifier is right. Prints one JSON object.
//!
//! Native, for developers; nothing of it runs in production.

mod chunk;
mod classifier;
mod ledger;

use std::hint::black_box;
use std::time::Instant;

use clap::{Parser, Subcommand};
use serde_json::json;

/// What the program is told.
#[derive(Debug, Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    order: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Measure all and print it.
    All,
    /// Relay so many chunks and print nothing, for whoever counts instructions.
    Chunks {
        /// How many.
        count: usize,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().order {
        Action::Chunks { count } => {
            black_box(chunk::relay(count)?);
        }
        Action::All => {
            let (admit, settle) = ledger::nanoseconds()?;
            let report = json!({
                "admit_ns": admit,
                "settle_ns": settle,
                "chunk_ns": chunk::nanoseconds()?,
                "classifier": classifier::all()?,
            });
            println!("{report}");
        }
    }
    Ok(())
}

/// The shortest of several runs, in nanoseconds for each of `count`: whatever else runs on the
/// machine only ever adds.
fn nanoseconds_each<T>(
    count: u32,
    mut run: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        #[allow(clippy::disallowed_methods, reason = "a native program that times")]
        let started = Instant::now();
        black_box(run()?);
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best * 1e9 / f64::from(count))
}
