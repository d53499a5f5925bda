//! `admin`: tenants, their usage and data, the audit log and admin tokens.

mod data;
mod show;
mod tenants;
mod tokens;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{
    client::{Client, Method},
    connection::{Connection, printable},
    span::{Span, timestamp_before},
};

/// Arguments of `admin`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create, show, change, suspend and delete tenants
    #[command(subcommand)]
    Tenants(tenants::Command),
    /// Show a tenant's usage by day, model and key, or the usage of all tenants
    Usage {
        /// The tenant's id [default: all]
        tenant: Option<String>,
        /// Period up to now, such as 7d [default: this month]
        #[arg(long, value_name = "SPAN")]
        last: Option<Span>,
    },
    /// Read a tenant's conversations, for support; each access is recorded in the audit log
    #[command(subcommand)]
    Sessions(data::Sessions),
    /// Write all stored data of a tenant to a file, one JSON object per line
    Export {
        /// The tenant's id
        tenant: String,
        /// The file; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Erase a tenant's conversations; its settings, keys and receipts stay
    Erase {
        /// The tenant's id
        tenant: String,
        /// Confirm the erasure
        #[arg(long)]
        yes: bool,
    },
    /// Show the audit log, newest first
    Audit {
        /// Only entries of this tenant
        tenant: Option<String>,
    },
    /// List, create, change and revoke admin tokens
    #[command(subcommand)]
    Tokens(tokens::Tokens),
}

/// Runs a command. `default_state` is the local stack's folder without `--state`.
///
/// # Errors
/// No API is reachable, it refuses the request, or a file can't be written.
pub fn run(arguments: &Arguments, default_state: &Path) -> Result<()> {
    dispatch(arguments, default_state).map_err(|error| printable(&error))
}

fn dispatch(arguments: &Arguments, default_state: &Path) -> Result<()> {
    let connection = &arguments.connection;
    let client = connection.client(default_state)?;
    match &arguments.command {
        Command::Tenants(command) => tenants::run(command, connection, &client),
        Command::Usage { tenant, last } => usage(connection, &client, tenant.as_deref(), *last),
        Command::Sessions(command) => data::sessions(command, connection, &client),
        Command::Export { tenant, out } => data::export(connection, &client, tenant, out),
        Command::Erase { tenant, yes } => data::erase(connection, &client, tenant, *yes),
        Command::Audit { tenant } => {
            let filter = tenant.as_ref().map(|id| format!("?tenant_id={id}"));
            let log = client.list(&format!("/audit{}", filter.unwrap_or_default()))?;
            connection.print(&log, show::audit);
            Ok(())
        }
        Command::Tokens(command) => tokens::run(command, connection, &client),
    }
}

fn usage(
    connection: &Connection,
    client: &Client,
    tenant: Option<&str>,
    last: Option<Span>,
) -> Result<()> {
    let from = last.map(|Span(seconds)| format!("?from={}", timestamp_before(seconds)));
    let from = from.unwrap_or_default();
    if let Some(tenant) = tenant {
        let report =
            client.request(Method::Get, &format!("/tenants/{tenant}/usage{from}"), None)?;
        connection.print(&report, show::tenant_usage);
    } else {
        let all = client.list(&format!("/usage{from}"))?;
        connection.print(&all, show::all_usage);
    }
    Ok(())
}
