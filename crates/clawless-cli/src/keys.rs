//! `keys`: a tenant's API keys.

mod widget;

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    client::Method,
    connection::{Connection, printable},
    settings::patch,
    span::{Span, timestamp_after},
    table::{is_absent, moment, table, text, words},
};

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The tenant's id [default: the local stack's demo tenant]
    #[arg(long, value_name = "ID", global = true)]
    tenant: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all keys, without their secrets
    List,
    /// Create a key; its secret is shown only once
    Mint(Mint),
    /// Change the name, the limits or the origins of a key; null removes a limit
    Set {
        /// The key's id
        key: String,
        /// Settings, such as `limits.requests_per_minute=60`, `name=server` or
        /// `allowed_origins=["https://example.org"]`
        #[arg(required = true)]
        settings: Vec<String>,
    },
    /// Replace a key with a new one; both work until the grace period ends
    Rotate(Rotate),
    /// Revoke a key with immediate effect
    Revoke {
        /// The key's id
        key: String,
    },
    /// Show and change the chat widget of a public key
    #[command(subcommand)]
    Widget(widget::Command),
}

#[derive(Debug, Args)]
struct Mint {
    /// Display name
    name: String,
    /// Limits of its own, such as `limits.requests_per_minute=60 limits.concurrent=2`
    settings: Vec<String>,
    /// Scopes of a secret key: chat, sessions:read, sessions:write, tools, usage:read
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "chat",
        conflicts_with = "origins"
    )]
    scopes: Vec<String>,
    /// Create a public key, for these origins only
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Time until it expires, such as 30d
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<Span>,
}

#[derive(Debug, Args)]
struct Rotate {
    /// The key's id
    key: String,
    /// Grace period, such as 1h [default: 1d]
    #[arg(long, value_name = "SPAN")]
    grace: Option<Span>,
    /// Time until the new key expires [default: the old key's lifetime]
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<Span>,
}

/// Runs a command. `default_state` is the local stack's folder without `--state`.
///
/// # Errors
/// No API is reachable, or it refuses the request.
pub fn run(arguments: &Arguments, default_state: &Path) -> Result<()> {
    dispatch(arguments, default_state).map_err(|error| printable(&error))
}

fn dispatch(arguments: &Arguments, default_state: &Path) -> Result<()> {
    let connection = &arguments.connection;
    let client = connection.client(default_state)?;
    let tenant = connection.tenant(default_state, arguments.tenant.as_deref())?;
    let keys = format!("/tenants/{tenant}/keys");
    match &arguments.command {
        Command::List => {
            let list = client.list(&keys)?;
            connection.print(&list, key_table);
        }
        Command::Mint(mint) => {
            let minted = client.request(Method::Post, &keys, Some(&mint.body()?))?;
            connection.print(&minted, new_key);
        }
        Command::Set { key, settings } => {
            let path = format!("{keys}/{key}");
            let body = Value::Object(patch(settings)?);
            let changed = client.request(Method::Patch, &path, Some(&body))?;
            connection.print(&changed, |changed| {
                let limits = limits(changed);
                format!(
                    "{} {}: {limits}",
                    text(changed, "id"),
                    text(changed, "name")
                )
            });
        }
        Command::Rotate(rotate) => {
            let path = format!("{keys}/{}/rotate", rotate.key);
            let minted = client.request(Method::Post, &path, Some(&rotate.body()))?;
            connection.print(&minted, |minted| {
                format!("{}\n{}", new_key(minted), old_key(minted))
            });
        }
        Command::Widget(command) => widget::run(command, connection, &client, &keys)?,
        Command::Revoke { key } => {
            let path = format!("{keys}/{key}/revoke");
            let revoked = client.request(Method::Post, &path, Some(&json!({})))?;
            connection.print(&revoked, |revoked| {
                format!("{} is revoked.", text(revoked, "id"))
            });
        }
    }
    Ok(())
}

impl Mint {
    fn body(&self) -> Result<Value> {
        let mut body = patch(&self.settings)?;
        body.insert("name".to_owned(), json!(self.name));
        if self.origins.is_empty() {
            body.insert("scopes".to_owned(), json!(self.scopes));
        } else {
            body.insert("kind".to_owned(), json!("public"));
            body.insert("allowed_origins".to_owned(), json!(self.origins));
        }
        set_expiry(&mut body, self.expires_in);
        Ok(Value::Object(body))
    }
}

impl Rotate {
    fn body(&self) -> Value {
        let mut body = Map::new();
        if let Some(Span(seconds)) = self.grace {
            body.insert("grace_seconds".to_owned(), json!(seconds));
        }
        set_expiry(&mut body, self.expires_in);
        Value::Object(body)
    }
}

fn set_expiry(body: &mut Map<String, Value>, expires_in: Option<Span>) {
    if let Some(Span(seconds)) = expires_in {
        body.insert("expires_at".to_owned(), json!(timestamp_after(seconds)));
    }
}

fn key_table(list: &Value) -> String {
    table(
        list,
        &[
            ("ID", &|key| text(key, "id")),
            ("KIND", &|key| text(key, "kind")),
            ("NAME", &|key| text(key, "name")),
            ("SCOPES, ORIGINS", &|key| {
                let member = if text(key, "kind") == "public" {
                    "allowed_origins"
                } else {
                    "scopes"
                };
                words(key, member)
            }),
            ("LIMITS", &limits),
            ("CREATED", &|key| moment(key, "created_at")),
            ("LAST USED", &|key| moment(key, "last_used_at")),
            ("ENDS", &|key| {
                if is_absent(key, "revoked_at") {
                    moment(key, "expires_at")
                } else {
                    format!("revoked {}", moment(key, "revoked_at"))
                }
            }),
        ],
    )
}

/// The limits of a key, such as `60/min, burst 10, 2 at once`; `-` without any of its own.
fn limits(key: &Value) -> String {
    let limit = |name: &str| {
        let limits = key.get("limits")?;
        limits.get(name)?.as_u64()
    };
    let rate = limit("requests_per_minute").map(|limit| format!("{limit}/min"));
    let burst = limit("burst").map(|limit| format!("burst {limit}"));
    let concurrent = limit("concurrent").map(|limit| format!("{limit} at once"));
    let limits: Vec<String> = [rate, burst, concurrent].into_iter().flatten().collect();
    if limits.is_empty() {
        return "-".to_owned();
    }
    limits.join(", ")
}

fn new_key(minted: &Value) -> String {
    let (id, key) = (text(minted, "id"), text(minted, "key"));
    format!("{id}\n{key}\nStore it now: it is not shown again.")
}

fn old_key(minted: &Value) -> String {
    let old = minted.get("replaces").unwrap_or(&Value::Null);
    let (id, end) = (text(old, "id"), moment(old, "expires_at"));
    let warning = if minted.get("in_force") == Some(&json!(false)) {
        " The ledger did not respond: a gateway may apply this up to 30 seconds late."
    } else {
        ""
    };
    format!("{id} works until {end} (UTC).{warning}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &str) -> Command {
        Line::parse_from(line.split(' ')).arguments.command
    }

    #[test]
    fn arguments_become_request_bodies() {
        let Command::Mint(mint) = parse("keys mint server --scopes chat,tools") else {
            unreachable!("mint")
        };
        assert_eq!(
            mint.body().unwrap(),
            json!({"name": "server", "scopes": ["chat", "tools"]})
        );
        let Command::Mint(mint) = parse("keys mint server limits.burst=5 limits.concurrent=2")
        else {
            unreachable!("mint")
        };
        assert_eq!(
            mint.body().unwrap(),
            json!({"name": "server", "scopes": ["chat"], "limits": {"burst": 5, "concurrent": 2}})
        );
        let Command::Mint(mint) = parse("keys mint page --origins https://a.example") else {
            unreachable!("mint")
        };
        let public =
            json!({"name": "page", "kind": "public", "allowed_origins": ["https://a.example"]});
        assert_eq!(mint.body().unwrap(), public);
        let Command::Rotate(rotate) = parse("keys rotate key_1 --grace 1h --tenant ten_1") else {
            unreachable!("rotate")
        };
        assert_eq!(rotate.body(), json!({"grace_seconds": 3600}));
    }

    #[test]
    fn a_list_shows_when_each_key_ends() {
        let list = json!([
            {"id": "key_1", "kind": "secret", "name": "a", "scopes": ["chat"], "created_at": 0,
             "limits": {"requests_per_minute": 60, "concurrent": 2}},
            {"id": "key_2", "kind": "public", "name": "b", "allowed_origins": ["https://a.example"], "revoked_at": 60},
        ]);
        let shown = key_table(&list);
        assert!(
            shown.contains("key_1") && shown.contains("https://a.example"),
            "{shown}"
        );
        assert!(shown.contains("60/min, 2 at once"), "{shown}");
        assert!(shown.contains("revoked 1970-01-01 00:01"), "{shown}");
    }
}
