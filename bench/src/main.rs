//! Native benchmarks for `cargo xtask bench`: the time of a ledger operation and of one relayed
//! chunk and of classifying a request, in nanoseconds. Prints one JSON object.
//!
//! Runs on the developer's machine only; it is not part of a deployment.

mod chunk;
mod classifier;
mod ledger;

use std::hint::black_box;
use std::time::Instant;

use clap::{Parser, Subcommand};
use serde_json::json;

/// The command line.
#[derive(Debug, Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every benchmark and print the results.
    All,
    /// Relay chunks without output, for tools that count instructions.
    Chunks {
        /// Number of chunks.
        count: usize,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Chunks { count } => {
            black_box(chunk::relay(count)?);
        }
        Command::All => {
            let (admit, settle) = ledger::nanoseconds()?;
            let (question, long_text) = classifier::nanoseconds()?;
            let report = json!({
                "admit_ns": admit,
                "settle_ns": settle,
                "chunk_ns": chunk::nanoseconds()?,
                "classify_question_ns": question,
                "classify_long_text_ns": long_text,
            });
            println!("{report}");
        }
    }
    Ok(())
}

/// Number of runs of each benchmark.
const RUNS: usize = 7;

/// The shortest of several runs, in nanoseconds per operation. Other load on the machine only adds
/// time, so the minimum is the best estimate.
fn nanoseconds_per_operation<T>(
    operations: u32,
    mut run: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        #[allow(clippy::disallowed_methods, reason = "native benchmark")]
        let started = Instant::now();
        black_box(run()?);
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best * 1e9 / f64::from(operations))
}
