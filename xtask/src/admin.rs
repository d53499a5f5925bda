//! `cargo xtask admin`: tenants, their usage and data, the audit log and the operators' tokens, over
//! the admin API.

mod data;
mod show;
mod tenants;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    layout::Layout,
    operator::{Client, Method, Reach, Span, end_after},
};

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    order: Action,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create, show, change, suspend and delete tenants
    #[command(subcommand)]
    Tenants(tenants::Action),
    /// Show what a tenant used by day, model and key, or what all used
    Usage {
        /// The tenant [default: all]
        tenant: Option<String>,
        /// How far back [default: this month]
        #[arg(long, value_name = "SPAN")]
        last: Option<Span>,
    },
    /// Read a tenant's conversations, for support; each look leaves a line in the audit log
    #[command(subcommand)]
    Sessions(data::Sessions),
    /// Write all that is stored of a tenant into a file, a JSON object a line
    Export {
        /// The tenant's id
        tenant: String,
        /// The file; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Erase what a tenant's clients said; its settings, keys and receipts stay
    Erase {
        /// The tenant's id
        tenant: String,
        /// Really do it
        #[arg(long)]
        yes: bool,
    },
    /// Show who changed what, newest first
    Audit {
        /// What concerns one tenant only
        tenant: Option<String>,
    },
    /// List, mint and revoke the operators' tokens
    #[command(subcommand)]
    Tokens(Tokens),
}

#[derive(Debug, Subcommand)]
enum Tokens {
    /// Show all tokens, without the tokens themselves
    List,
    /// Make a token, which is shown this once
    Mint {
        /// Whose it is
        name: String,
        /// When it ends by itself, as 30d
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<Span>,
    },
    /// End a token for ever, at the next request
    Revoke {
        /// The token's id
        token: String,
    },
}

/// Asks the admin API, and shows what it says.
pub(crate) fn run(layout: &Layout, arguments: &Arguments) -> Result<()> {
    let (reach, client) = (&arguments.reach, arguments.reach.client(layout)?);
    match &arguments.order {
        Action::Tenants(order) => tenants::run(order, reach, &client),
        Action::Usage { tenant, last } => usage(reach, &client, tenant.as_deref(), *last),
        Action::Sessions(order) => data::sessions(order, reach, &client),
        Action::Export { tenant, out } => data::export(reach, &client, tenant, out),
        Action::Erase { tenant, yes } => data::erase(reach, &client, tenant, *yes),
        Action::Audit { tenant } => {
            let filter = tenant.as_ref().map(|id| format!("?tenant_id={id}"));
            let log = client.list(&format!("/audit{}", filter.unwrap_or_default()))?;
            reach.print(&log, show::audit);
            Ok(())
        }
        Action::Tokens(order) => tokens(order, reach, &client),
    }
}

fn usage(reach: &Reach, client: &Client, tenant: Option<&str>, last: Option<Span>) -> Result<()> {
    let from = last.map(|Span(seconds)| format!("?from={}", end_after(0).saturating_sub(seconds)));
    let from = from.unwrap_or_default();
    if let Some(tenant) = tenant {
        let report = client.ask(Method::Get, &format!("/tenants/{tenant}/usage{from}"), None)?;
        reach.print(&report, show::usage_of_one);
    } else {
        let all = client.list(&format!("/usage{from}"))?;
        reach.print(&all, show::usage_of_all);
    }
    Ok(())
}

fn tokens(order: &Tokens, reach: &Reach, client: &Client) -> Result<()> {
    match order {
        Tokens::List => {
            let list = client.list("/tokens")?;
            reach.print(&list, show::tokens);
        }
        Tokens::Mint { name, expires_in } => {
            let end = expires_in.map(|Span(seconds)| end_after(seconds));
            let body = json!({"name": name, "expires_at": end});
            let minted = client.ask(Method::Post, "/tokens", Some(&body))?;
            reach.print(&minted, show::new_token);
        }
        Tokens::Revoke { token } => {
            let path = format!("/tokens/{token}/revoke");
            let revoked = client.ask(Method::Post, &path, Some(&json!({})))?;
            reach.print(&revoked, |_| format!("{token} is revoked."));
        }
    }
    Ok(())
}
