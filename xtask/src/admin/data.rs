//! What is stored of a tenant: read, exported, erased.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use serde_json::{Value, json};

use super::show;
use crate::operator::{Client, Method, Reach};

/// Which of a tenant's conversations.
#[derive(Debug, Subcommand)]
pub(super) enum Sessions {
    /// Show a tenant's sessions, newest first
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
    /// Show what was said in a session
    Messages {
        /// The tenant's id
        tenant: String,
        /// The session's id
        session: String,
    },
}

pub(super) fn sessions(order: &Sessions, reach: &Reach, client: &Client) -> Result<()> {
    match order {
        Sessions::List { tenant } => {
            let list = client.list(&format!("/tenants/{tenant}/sessions"))?;
            reach.print(&list, show::sessions);
        }
        Sessions::Show { tenant, session } => {
            let path = format!("/tenants/{tenant}/sessions/{session}");
            let found = client.ask(Method::Get, &path, None)?;
            reach.print(&found, show::members);
        }
        Sessions::Messages { tenant, session } => {
            let path = format!("/tenants/{tenant}/sessions/{session}/messages");
            reach.print(&client.list(&path)?, show::messages);
        }
    }
    Ok(())
}

pub(super) fn export(reach: &Reach, client: &Client, tenant: &str, out: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(out);
    let file = file.with_context(|| format!("can't create {}", out.display()))?;
    let mut file = BufWriter::new(file);
    let mut lines: u64 = 0;
    client.pages(&format!("/tenants/{tenant}/export"), |page| {
        for row in page {
            writeln!(file, "{row}")?;
            lines += 1;
        }
        Ok(())
    })?;
    file.flush()?;
    let done = json!({"object": "export", "id": tenant, "file": out, "lines": lines});
    reach.print(&done, |_| format!("{} has {lines} lines.", out.display()));
    Ok(())
}

pub(super) fn erase(reach: &Reach, client: &Client, tenant: &str, yes: bool) -> Result<()> {
    ensure!(
        yes,
        "this erases what the clients of {tenant} said, for ever: say --yes"
    );
    let mut cursor = String::new();
    loop {
        let path = format!("/tenants/{tenant}/erase{cursor}");
        let answer = client.ask(Method::Post, &path, Some(&json!({})))?;
        if answer.get("erased") == Some(&json!(true)) {
            reach.print(&answer, |_| {
                format!("{tenant} has forgotten what was said.")
            });
            return Ok(());
        }
        let next = answer.get("next_cursor").and_then(Value::as_str);
        cursor = next
            .map(|next| format!("?cursor={next}"))
            .unwrap_or_default();
    }
}
