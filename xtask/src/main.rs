//! The commands of this repository: `cargo xtask --help`.

// The clocks are banned for the Workers; this program runs on the developer's machine.
#![allow(clippy::disallowed_methods)]

mod admin;
mod bench;
mod build;
mod bundle;
mod deploy;
mod dev;
mod doctor;
mod down;
mod hooks;
mod keys;
mod layout;
mod migrate;
mod model;
mod operator;
mod process;
mod progress;
mod seed;
mod stack;
mod stamp;
mod test;
mod tidy;
mod tools;
mod turn;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{layout::Layout, progress::Progress};

/// The commands of Clawless.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true,
    after_help = "On a new machine: `cargo xtask doctor`, then `cargo xtask dev`. Before a commit: `cargo xtask test`.\nEach command has a --help of its own; CONTRIBUTING.md and docs/deployment.md tell more."
)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run all of Clawless here: model, Workers, database, a demo tenant
    Dev(dev::Arguments),
    /// Stop what `dev` started
    Down(down::Arguments),
    /// Run every check and every test
    Test,
    /// Say what this machine lacks
    Doctor,
    /// Build the three Workers into build/
    Build(build::Arguments),
    /// Bring a database up to the newest migration
    Migrate(migrate::Arguments),
    /// Put the demo tenant into the local database
    Seed(seed::Arguments),
    /// Deploy the Workers to the platform
    Deploy(deploy::Arguments),
    /// Manage tenants, usage, the audit log and operators' tokens
    Admin(admin::Arguments),
    /// Mint, show, rotate and revoke a tenant's API keys
    Keys(keys::Arguments),
    /// Check the conventions of the house
    Tidy,
    /// Install a git hook: format and clippy on what is staged
    Hooks,
    /// Measure the gateway against a Worker that only forwards
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let order = Arguments::parse().command;
    let progress = Progress::new();
    let outcome = Layout::find().and_then(|layout| carry_out(&order, &layout, &progress));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress.line(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(order: &Action, layout: &Layout, progress: &Progress) -> Result<()> {
    match order {
        Action::Dev(arguments) => dev::run(layout, arguments, progress),
        Action::Down(arguments) => down::run(layout, arguments, progress),
        Action::Test => test::run(layout, progress),
        Action::Doctor => doctor::run(layout, progress),
        Action::Build(arguments) => build::run(layout, arguments, progress),
        Action::Migrate(arguments) => migrate::run(layout, arguments, progress),
        Action::Seed(arguments) => seed::run(layout, arguments, progress),
        Action::Deploy(arguments) => deploy::run(layout, arguments, progress),
        Action::Admin(arguments) => admin::run(layout, arguments),
        Action::Keys(arguments) => keys::run(layout, arguments),
        Action::Tidy => tidy::run(layout, progress),
        Action::Hooks => hooks::run(layout, progress),
        Action::Bench(arguments) => bench::run(layout, arguments, progress),
    }
}
