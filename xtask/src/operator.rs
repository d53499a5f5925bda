//! What the commands for operators have in common: how they reach the admin API, and how they show
//! what it answers.

mod client;
mod span;
mod table;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::{
    layout::Layout,
    stack::{record::Access, state::State},
};

pub(crate) use client::{Client, Method};
pub(crate) use span::{Span, end_after};
pub(crate) use table::{Column, is_absent, moment, number, table, text, words};

/// Which admin API, and how to show its answers.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The folder of the local stack that is meant [default: .clawless]
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
    /// A deployed gateway instead of the local stack: its address, with or without `/admin`
    #[arg(long, value_name = "URL", global = true, env = "CLAWLESS_ADMIN_URL")]
    url: Option<String>,
    /// The token for it
    #[arg(
        long,
        value_name = "TOKEN",
        global = true,
        env = "CLAWLESS_ADMIN_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print the answer as it came, as JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Reach {
    /// The API that is meant.
    pub(crate) fn client(&self, layout: &Layout) -> Result<Client> {
        if let Some(url) = &self.url {
            let token = self.token.clone().context(
                "a deployed gateway needs a token: --token, or CLAWLESS_ADMIN_TOKEN, which stays out of the shell's history",
            )?;
            return Ok(Client::new(&with_path(url), token));
        }
        let access = self.local(layout)?;
        match (access.admin_url, self.token.clone().or(access.admin_token)) {
            (Some(url), Some(token)) => Ok(Client::new(&url, token)),
            _ => bail!("the local stack has no admin API: start it anew with `cargo xtask dev`"),
        }
    }

    /// The tenant that is meant where none is named: the local stack's demo tenant.
    pub(crate) fn tenant(&self, layout: &Layout, named: Option<&str>) -> Result<String> {
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        if self.url.is_some() {
            bail!("name the tenant with --tenant");
        }
        let path = self.stack(layout)?.demo_keys();
        let keys: Value = serde_json::from_slice(
            &fs::read(&path).with_context(|| format!("can't read {}", path.display()))?,
        )?;
        let tenant = keys.get("tenant_id").and_then(Value::as_str);
        tenant
            .map(str::to_owned)
            .context("the local stack has no demo tenant: name one with --tenant")
    }

    /// Prints an answer: as JSON, or as `show` puts it.
    pub(crate) fn print(&self, answer: &Value, show: impl FnOnce(&Value) -> String) {
        if self.json {
            println!("{answer:#}");
        } else {
            println!("{}", show(answer).trim_end());
        }
    }

    fn stack(&self, layout: &Layout) -> Result<State> {
        let folder = self.state.clone().unwrap_or_else(|| layout.default_state());
        State::new(&folder)
    }

    fn local(&self, layout: &Layout) -> Result<Access> {
        let path = self.stack(layout)?.dev_json();
        let text = fs::read(&path).with_context(|| {
            format!(
                "no local stack is ready ({} is missing): start one with `cargo xtask dev`, or name a deployed one with --url",
                path.display()
            )
        })?;
        serde_json::from_slice(&text).with_context(|| format!("{} can't be read", path.display()))
    }
}

/// People give a gateway's address with and without the path of its admin API.
fn with_path(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.ends_with("/admin") {
        url.to_owned()
    } else {
        format!("{url}/admin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_and_without_its_path() {
        for url in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/admin/",
        ] {
            assert_eq!(with_path(url), "https://a.example/admin");
        }
    }
}
