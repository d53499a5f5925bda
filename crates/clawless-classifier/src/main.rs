//! Trains and evaluates the request classifier of `clawless_core::routing`.

mod classify;
mod report;
mod rows;
mod table;
mod train;
mod training;

use anyhow::Result;
use clap::Parser;

/// Trains and evaluates the request classifier
#[derive(Debug, Parser)]
enum Command {
    /// Train on data/train and write the weights of clawless-core
    Train {
        /// Only compare the weights with the trained ones
        #[arg(long)]
        check: bool,
    },
    /// Print the cross-validated results on data/train for several thresholds
    Validate,
    /// Classify the requests of a file
    Classify(classify::Arguments),
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Train { check } => training::train(check),
        Command::Validate => training::validate(),
        Command::Classify(arguments) => classify::run(&arguments),
    }
}
