//! A tenant's stored data: reading, export and erasure.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use serde_json::{Value, json};

use super::show;
use crate::{
    client::{Client, Method, percent_encode},
    connection::Connection,
    visible,
};

/// Commands on a tenant's conversations.
#[derive(Debug, Subcommand)]
pub(super) enum Sessions {
    /// List a tenant's sessions, newest first
    List {
        /// The tenant's id
        tenant: String,
    },
    /// Show one session's settings
    Show {
        /// The tenant's id
        tenant: String,
        /// The session's id
        session: String,
    },
    /// Show the messages of a session
    Messages {
        /// The tenant's id
        tenant: String,
        /// The session's id
        session: String,
    },
}

pub(super) fn sessions(command: &Sessions, connection: &Connection, client: &Client) -> Result<()> {
    match command {
        Sessions::List { tenant } => {
            let list = client.list(&format!("/tenants/{tenant}/sessions"))?;
            connection.print(&list, show::sessions);
        }
        Sessions::Show { tenant, session } => {
            let path = format!("/tenants/{tenant}/sessions/{session}");
            let found = client.request(Method::Get, &path, None)?;
            connection.print(&found, show::members);
        }
        Sessions::Messages { tenant, session } => {
            let path = format!("/tenants/{tenant}/sessions/{session}/messages");
            connection.print(&client.list(&path)?, show::messages);
        }
    }
    Ok(())
}

pub(super) fn export(
    connection: &Connection,
    client: &Client,
    tenant: &str,
    out: &Path,
) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(out);
    let file = file.with_context(|| format!("can't create {}", out.display()))?;
    let mut file = BufWriter::new(file);
    let mut lines: u64 = 0;
    client.for_each_page(&format!("/tenants/{tenant}/export"), |page| {
        for row in page {
            writeln!(file, "{}", visible::json(&row))?;
            lines += 1;
        }
        Ok(())
    })?;
    file.flush()?;
    let done = json!({"object": "export", "id": tenant, "file": out, "lines": lines});
    connection.print(&done, |_| format!("{} has {lines} lines.", out.display()));
    Ok(())
}

pub(super) fn erase(
    connection: &Connection,
    client: &Client,
    tenant: &str,
    yes: bool,
) -> Result<()> {
    ensure!(
        yes,
        "this erases all conversations of {tenant} permanently: confirm with --yes"
    );
    let mut cursor = String::new();
    loop {
        let path = format!("/tenants/{tenant}/erase{cursor}");
        let response = client.request(Method::Post, &path, Some(&json!({})))?;
        if response.get("erased") == Some(&json!(true)) {
            connection.print(&response, |_| {
                format!("The conversations of {tenant} are erased.")
            });
            return Ok(());
        }
        let next = response.get("next_cursor").and_then(Value::as_str);
        cursor = next
            .map(|next| format!("?cursor={}", percent_encode(next)))
            .unwrap_or_default();
    }
}
