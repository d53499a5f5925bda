//! `admin tenants`.

use anyhow::{Result, bail, ensure};
use clap::Subcommand;
use serde_json::{Value, json};

use super::show;
use crate::{
    client::{Client, Method},
    connection::Connection,
    settings::patch,
};

/// Commands on tenants.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all tenants
    List,
    /// Create a tenant
    Create {
        /// Display name
        name: String,
        /// Pricing tier
        #[arg(long, default_value = "free")]
        tier: String,
        /// Settings, such as `limits.burst=5`, `limits.burst=unlimited` or `system_prompt="Be brief."`
        settings: Vec<String>,
    },
    /// Show one tenant
    Show {
        /// The tenant's id
        tenant: String,
    },
    /// Change settings of a tenant; null removes one, so the tier's limit applies again
    Set {
        /// The tenant's id
        tenant: String,
        /// Settings, such as `limits.burst=5`, `limits.burst=unlimited` or `system_prompt="Be brief."`
        #[arg(required = true)]
        settings: Vec<String>,
    },
    /// Refuse all further requests of a tenant
    Suspend {
        /// The tenant's id
        tenant: String,
    },
    /// Accept requests of a suspended tenant again
    Resume {
        /// The tenant's id
        tenant: String,
    },
    /// Delete a tenant and all its data
    Delete {
        /// The tenant's id
        tenant: String,
        /// Confirm the deletion
        #[arg(long)]
        yes: bool,
    },
}

/// The API deletes a large tenant in several requests; this bound is far above what any tenant needs.
const MAX_DELETE_REQUESTS: usize = 100_000;

pub(super) fn run(command: &Command, connection: &Connection, client: &Client) -> Result<()> {
    let change = |tenant: &str, patch: Value| -> Result<()> {
        let path = format!("/tenants/{tenant}");
        let changed = client.request(Method::Patch, &path, Some(&patch))?;
        connection.print(&changed, show::members);
        Ok(())
    };
    match command {
        Command::List => {
            let list = client.list("/tenants")?;
            connection.print(&list, show::tenants);
        }
        Command::Create {
            name,
            tier,
            settings,
        } => {
            let mut body = patch(settings)?;
            body.insert("name".to_owned(), json!(name));
            body.insert("tier".to_owned(), json!(tier));
            let created = client.request(Method::Post, "/tenants", Some(&Value::Object(body)))?;
            connection.print(&created, show::members);
        }
        Command::Show { tenant } => {
            let found = client.request(Method::Get, &format!("/tenants/{tenant}"), None)?;
            connection.print(&found, show::members);
        }
        Command::Set { tenant, settings } => change(tenant, Value::Object(patch(settings)?))?,
        Command::Suspend { tenant } => change(tenant, json!({"status": "suspended"}))?,
        Command::Resume { tenant } => change(tenant, json!({"status": "active"}))?,
        Command::Delete { tenant, yes } => {
            ensure!(
                *yes,
                "this deletes {tenant} and all its data permanently: confirm with --yes"
            );
            let deleted = delete(client, tenant)?;
            connection.print(&deleted, |_| format!("{tenant} is deleted."));
        }
    }
    Ok(())
}

/// Deletes a tenant, and returns the last response.
fn delete(client: &Client, tenant: &str) -> Result<Value> {
    for _ in 0..MAX_DELETE_REQUESTS {
        let response = client.request(Method::Delete, &format!("/tenants/{tenant}"), None)?;
        if response.get("deleted") == Some(&json!(true)) {
            return Ok(response);
        }
    }
    bail!("{tenant} is not deleted after {MAX_DELETE_REQUESTS} requests: run the command again")
}
