//! Which admin API a command calls, and how it prints the responses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::Value;

use crate::{client::Client, visible};

/// Arguments that all commands share.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// State folder of the local stack [default: .clawless]
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
    /// URL of a deployed gateway, with or without `/admin`, instead of the local stack
    #[arg(long, value_name = "URL", global = true, env = "CLAWLESS_ADMIN_URL")]
    url: Option<String>,
    /// Admin token for it
    #[arg(
        long,
        value_name = "TOKEN",
        global = true,
        env = "CLAWLESS_ADMIN_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print one JSON value: the last response, or all entries of a list
    #[arg(long, global = true)]
    json: bool,
}

impl Connection {
    /// A client for the selected API. `default_state` is the local stack's folder without `--state`.
    pub(crate) fn client(&self, default_state: &Path) -> Result<Client> {
        if let Some(url) = &self.url {
            let token = self.token.clone().context(
                "a deployed gateway needs a token: --token, or CLAWLESS_ADMIN_TOKEN, which stays out of the shell's history",
            )?;
            return Ok(Client::new(&with_path(url), token));
        }
        let path = self.state(default_state).join("dev.json");
        let stack = read_json(&path).with_context(|| {
            format!(
                "no local stack is ready ({} is missing): start one with `cargo xtask dev`, or name a deployed one with --url",
                path.display()
            )
        })?;
        let member = |name: &str| stack.get(name).and_then(Value::as_str).map(str::to_owned);
        match (
            member("admin_url"),
            self.token.clone().or_else(|| member("admin_token")),
        ) {
            (Some(url), Some(token)) => Ok(Client::new(&url, token)),
            _ => bail!("the local stack has no admin API: restart it with `cargo xtask dev`"),
        }
    }

    /// The named tenant, or the local stack's demo tenant.
    pub(crate) fn tenant(&self, default_state: &Path, named: Option<&str>) -> Result<String> {
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        if self.url.is_some() {
            bail!("name the tenant with --tenant");
        }
        let path = self.state(default_state).join("demo-keys.json");
        let keys = read_json(&path)?;
        let tenant = keys.get("tenant_id").and_then(Value::as_str);
        tenant
            .map(str::to_owned)
            .context("the local stack has no demo tenant: name one with --tenant")
    }

    /// Prints a response as JSON, or as `format` renders it, without terminal control sequences.
    pub(crate) fn print(&self, response: &Value, format: impl FnOnce(&Value) -> String) {
        if self.json {
            println!("{}", visible::indented_json(response));
        } else {
            println!("{}", visible::escape_lines(format(response).trim_end()));
        }
    }

    fn state<'a>(&'a self, default: &'a Path) -> &'a Path {
        self.state.as_deref().unwrap_or(default)
    }
}

/// An error in one line, without terminal control sequences: it may quote a server.
pub(crate) fn printable(error: &anyhow::Error) -> anyhow::Error {
    anyhow!(visible::escape(&format!("{error:#}")))
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// A gateway's URL may come with or without the path of its admin API.
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
    fn the_admin_path_is_appended_once() {
        for url in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/admin/",
        ] {
            assert_eq!(with_path(url), "https://a.example/admin");
        }
    }
}
