//! Native benchmarks for `cargo xtask bench`: the time of a ledger operation and of one relayed
//! chunk and of classifying a request, in nanoseconds. Prints one JSON object.
//!
//! Runs on the developer's machine only; it is not part of a deployment.

mod chunk;
mod classifier;
mod ledger;
mod timing;

use std::hint::black_box;

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
