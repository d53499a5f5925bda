//! The commands of this repository: `cargo xtask --help`.

// The clocks are banned for the Workers; this program runs on the developer's machine.
#![allow(clippy::disallowed_methods)]

mod build;
mod bundle;
mod layout;
mod model;
mod process;
mod progress;
mod stamp;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{layout::Layout, progress::Progress};

/// The commands of Clawless.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
    /// Build the three Workers into build/
    Build(build::Arguments),
}

fn main() -> ExitCode {
    let order = Arguments::parse().command;
    let progress = Progress::new();
    let outcome = Layout::find().and_then(|layout| match order {
        Order::Build(arguments) => build::run(&layout, &arguments, &progress),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress.line(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
