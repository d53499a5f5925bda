//! The commands of this repository: `cargo xtask --help`.

// The clocks are banned for the Workers; this program runs on the developer's machine.
#![allow(clippy::disallowed_methods)]

mod bench;
mod build;
mod build_lock;
mod bundle;
mod classify;
mod deploy;
mod dev;
mod doctor;
mod down;
mod hooks;
mod layout;
mod load;
mod logs;
mod migrate;
mod model;
mod models;
mod openapi;
mod private;
mod process;
mod progress;
mod rollback;
mod secrets;
mod seed;
mod settings;
mod sizes;
mod smoke;
mod stack;
mod stamp;
mod test;
mod tidy;
mod tools;
mod wait;
mod widget;

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
    after_help = "On a new machine: `cargo xtask doctor`, then `cargo xtask dev`. Before a commit: `cargo xtask test`.\nEach command has its own --help. See also CONTRIBUTING.md and docs/deployment.md."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run Clawless locally: model, Workers, database, a demo tenant
    Dev(dev::Arguments),
    /// Stop the stack that `dev` started
    Down(down::Arguments),
    /// Run every check and every test
    Test,
    /// Check this machine for required programs
    Doctor,
    /// Build the Workers into build/
    Build(build::Arguments),
    /// Apply pending database migrations
    Migrate(migrate::Arguments),
    /// Insert the demo tenant into the local database
    Seed(seed::Arguments),
    /// Deploy an environment to the platform
    Deploy(deploy::Arguments),
    /// Return an environment to the version before
    Rollback(rollback::Arguments),
    /// List or set the secrets of an environment
    Secrets(secrets::Arguments),
    /// Test a deployed gateway with real calls
    Smoke(smoke::Arguments),
    /// Print the reference of bindings, variables and secrets for docs/configuration.md
    Settings(settings::Arguments),
    /// Manage tenants, usage, the audit log and operators' tokens
    Admin(clawless_cli::admin::Arguments),
    /// Create, list, rotate and revoke a tenant's API keys
    Keys(clawless_cli::keys::Arguments),
    /// Compare the table of models with a public price list
    Models(models::Arguments),
    /// Classify requests as the router does, and print accuracy and losses of labelled ones
    Classify(classify::Arguments),
    /// Check the conventions of this repository
    Tidy,
    /// Print the table of log messages for docs/logs.md
    Logs(logs::Arguments),
    /// Describe the API: docs/api/openapi.json and the reference pages
    Openapi(openapi::Arguments),
    /// Install a git hook: format and clippy on staged files
    Hooks,
    /// Measure the gateway against a forwarding Worker
    Bench(bench::Arguments),
    /// Simulate users, and check that what was stored and booked is right
    Load(load::Arguments),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let progress = Progress::new();
    let result = Layout::find().and_then(|layout| run(&command, &layout, &progress));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command, layout: &Layout, progress: &Progress) -> Result<()> {
    match command {
        Command::Dev(arguments) => dev::run(layout, arguments, progress),
        Command::Down(arguments) => down::run(layout, arguments, progress),
        Command::Test => test::run(layout, progress),
        Command::Doctor => doctor::run(layout, progress),
        Command::Build(arguments) => build::run(layout, arguments, progress),
        Command::Migrate(arguments) => migrate::run(layout, arguments, progress),
        Command::Seed(arguments) => seed::run(layout, arguments, progress),
        Command::Deploy(arguments) => deploy::run(layout, arguments, progress),
        Command::Rollback(arguments) => rollback::run(layout, arguments, progress),
        Command::Secrets(arguments) => secrets::run(layout, arguments, progress),
        Command::Smoke(arguments) => smoke::run(arguments, progress),
        Command::Settings(arguments) => settings::run(layout, arguments),
        Command::Admin(arguments) => clawless_cli::admin::run(arguments, &layout.default_state()),
        Command::Keys(arguments) => clawless_cli::keys::run(arguments, &layout.default_state()),
        Command::Classify(arguments) => classify::run(layout, arguments),
        Command::Models(arguments) => models::run(layout, arguments),
        Command::Tidy => tidy::run(layout, progress),
        Command::Logs(arguments) => logs::run(layout, arguments),
        Command::Openapi(arguments) => openapi::run(layout, arguments),
        Command::Hooks => hooks::run(layout, progress),
        Command::Bench(arguments) => bench::run(layout, arguments, progress),
        Command::Load(arguments) => load::run(layout, arguments, progress),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
