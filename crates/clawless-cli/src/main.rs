//! `clawless`: the operator's commands without a checkout.

use std::{path::Path, process::ExitCode};

use clap::{Parser, Subcommand};
use clawless_cli::{admin, keys};

/// Operate a Clawless gateway over its admin API
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Manage tenants, usage, the audit log and operators' tokens
    Admin(admin::Arguments),
    /// Create, list, rotate and revoke a tenant's API keys
    Keys(keys::Arguments),
}

fn main() -> ExitCode {
    let local = Path::new(".clawless");
    let result = match Arguments::parse().command {
        Command::Admin(arguments) => admin::run(&arguments, local),
        Command::Keys(arguments) => keys::run(&arguments, local),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
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
