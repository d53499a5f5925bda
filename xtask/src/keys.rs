//! `cargo xtask keys`: a tenant's API keys, over the admin API.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    layout::Layout,
    operator::{Client, Method, Reach, Span, end_after, is_absent, moment, table, text, words},
};

/// What to do with whose keys.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    order: Action,
    /// The tenant [default: the local stack's demo tenant]
    #[arg(long, value_name = "ID", global = true)]
    tenant: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show all keys, without the keys themselves
    List,
    /// Make a key, which is shown this once
    Mint(Mint),
    /// Replace a key by a new one; both work until the grace is over
    Rotate(Rotate),
    /// End a key for ever, at the next request
    Revoke {
        /// The key's id
        key: String,
    },
}

#[derive(Debug, Args)]
struct Mint {
    /// A name for people
    name: String,
    /// What a secret key may do: chat, sessions:read, sessions:write, tools, usage:read
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "chat",
        conflicts_with = "origins"
    )]
    scopes: Vec<String>,
    /// Make a public key, for these origins only
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    origins: Vec<String>,
    /// When it ends by itself, as 30d
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<Span>,
}

#[derive(Debug, Args)]
struct Rotate {
    /// The key's id
    key: String,
    /// How long both work, as 1h [default: 1d]
    #[arg(long, value_name = "SPAN")]
    grace: Option<Span>,
    /// When the new one ends by itself [default: after as long a life as the old one's]
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<Span>,
}

/// Asks the admin API, and shows what it says.
pub(crate) fn run(layout: &Layout, arguments: &Arguments) -> Result<()> {
    let client = arguments.reach.client(layout)?;
    let tenant = arguments
        .reach
        .tenant(layout, arguments.tenant.as_deref())?;
    let keys = format!("/tenants/{tenant}/keys");
    match &arguments.order {
        Action::List => {
            let list = client.list(&keys)?;
            arguments.reach.print(&list, shown);
        }
        Action::Mint(wanted) => {
            let minted = client.ask(Method::Post, &keys, Some(&wanted.body()))?;
            arguments.reach.print(&minted, new_key);
        }
        Action::Rotate(wanted) => {
            let path = format!("{keys}/{}/rotate", wanted.key);
            let minted = client.ask(Method::Post, &path, Some(&wanted.body()))?;
            arguments.reach.print(&minted, |minted| {
                format!("{}\n{}", new_key(minted), old_key(minted))
            });
        }
        Action::Revoke { key } => {
            let revoked = revoke(&client, &keys, key)?;
            arguments.reach.print(&revoked, |revoked| {
                format!("{} is revoked.", text(revoked, "id"))
            });
        }
    }
    Ok(())
}

fn revoke(client: &Client, keys: &str, key: &str) -> Result<Value> {
    client.ask(
        Method::Post,
        &format!("{keys}/{key}/revoke"),
        Some(&json!({})),
    )
}

impl Mint {
    fn body(&self) -> Value {
        let mut body = Map::from_iter([("name".to_owned(), json!(self.name))]);
        if self.origins.is_empty() {
            body.insert("scopes".to_owned(), json!(self.scopes));
        } else {
            body.insert("kind".to_owned(), json!("public"));
            body.insert("allowed_origins".to_owned(), json!(self.origins));
        }
        set_end(&mut body, self.expires_in);
        Value::Object(body)
    }
}

impl Rotate {
    fn body(&self) -> Value {
        let mut body = Map::new();
        if let Some(Span(seconds)) = self.grace {
            body.insert("grace_seconds".to_owned(), json!(seconds));
        }
        set_end(&mut body, self.expires_in);
        Value::Object(body)
    }
}

fn set_end(body: &mut Map<String, Value>, expires_in: Option<Span>) {
    if let Some(Span(seconds)) = expires_in {
        body.insert("expires_at".to_owned(), json!(end_after(seconds)));
    }
}

fn shown(list: &Value) -> String {
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

fn new_key(minted: &Value) -> String {
    let (id, key) = (text(minted, "id"), text(minted, "key"));
    format!("{id}\n{key}\nKeep it now: it is not shown again.")
}

fn old_key(minted: &Value) -> String {
    let old = minted.get("replaces").unwrap_or(&Value::Null);
    let (id, end) = (text(old, "id"), moment(old, "expires_at"));
    let late = if minted.get("in_force") == Some(&json!(false)) {
        " The ledger did not answer: a gateway may learn of it up to 30 seconds late."
    } else {
        ""
    };
    format!("{id} works until {end} (UTC).{late}")
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

    fn order(line: &str) -> Action {
        Line::parse_from(line.split(' ')).arguments.order
    }

    #[test]
    fn what_is_typed_is_what_is_asked() {
        let Action::Mint(mint) = order("keys mint server --scopes chat,tools") else {
            unreachable!("mint")
        };
        assert_eq!(
            mint.body(),
            json!({"name": "server", "scopes": ["chat", "tools"]})
        );
        let Action::Mint(mint) = order("keys mint page --origins https://a.example") else {
            unreachable!("mint")
        };
        let public =
            json!({"name": "page", "kind": "public", "allowed_origins": ["https://a.example"]});
        assert_eq!(mint.body(), public);
        let Action::Rotate(rotate) = order("keys rotate key_1 --grace 1h --tenant ten_1") else {
            unreachable!("rotate")
        };
        assert_eq!(rotate.body(), json!({"grace_seconds": 3600}));
    }

    #[test]
    fn a_list_shows_how_each_key_ends() {
        let list = json!([
            {"id": "key_1", "kind": "secret", "name": "a", "scopes": ["chat"], "created_at": 0},
            {"id": "key_2", "kind": "public", "name": "b", "allowed_origins": ["https://a.example"], "revoked_at": 60},
        ]);
        let shown = shown(&list);
        assert!(
            shown.contains("key_1") && shown.contains("https://a.example"),
            "{shown}"
        );
        assert!(shown.contains("revoked 1970-01-01 00:01"), "{shown}");
    }
}
