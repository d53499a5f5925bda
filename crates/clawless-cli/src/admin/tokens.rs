//! `admin tokens`.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::show;
use crate::{
    client::{Client, Method},
    connection::Connection,
    settings::patch,
    span::{Span, timestamp_after},
    table::{moment, text},
};

/// Commands on admin tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Tokens {
    /// List all tokens, without their secrets
    List,
    /// Create a token; its secret is shown only once
    Mint {
        /// Name of its owner
        name: String,
        /// owner, operator, viewer or `tenant_admin`
        #[arg(long)]
        role: String,
        /// The only tenant of a `tenant_admin`
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Time until it expires, such as 30d
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<Span>,
    },
    /// Change a token's name, role, tenant and expiry with immediate effect
    Set {
        // Not named `token`: that is the option that authenticates.
        /// The token's id
        id: String,
        /// Settings, such as `role=viewer`, `name=Ada` or `expires_at=null`
        settings: Vec<String>,
        /// Time until it expires, such as 30d
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<Span>,
    },
    /// Revoke a token with immediate effect
    Revoke {
        /// The token's id
        id: String,
    },
}

pub(super) fn run(command: &Tokens, connection: &Connection, client: &Client) -> Result<()> {
    match command {
        Tokens::List => {
            let list = client.list("/tokens")?;
            connection.print(&list, show::tokens);
        }
        Tokens::Mint {
            name,
            role,
            tenant,
            expires_in,
        } => {
            let mut body = Map::new();
            body.insert("name".to_owned(), json!(name));
            body.insert("role".to_owned(), json!(role));
            if let Some(tenant) = tenant {
                body.insert("tenant_id".to_owned(), json!(tenant));
            }
            let body = with_expiry(body, *expires_in);
            let minted = client.request(Method::Post, "/tokens", Some(&body))?;
            connection.print(&minted, show::new_token);
        }
        Tokens::Set {
            id,
            settings,
            expires_in,
        } => {
            let body = with_expiry(patch(settings)?, *expires_in);
            let changed = client.request(Method::Patch, &format!("/tokens/{id}"), Some(&body))?;
            connection.print(&changed, changed_token);
        }
        Tokens::Revoke { id } => {
            let path = format!("/tokens/{id}/revoke");
            let revoked = client.request(Method::Post, &path, Some(&json!({})))?;
            connection.print(&revoked, |_| format!("{id} is revoked."));
        }
    }
    Ok(())
}

fn with_expiry(mut body: Map<String, Value>, expires_in: Option<Span>) -> Value {
    if let Some(Span(seconds)) = expires_in {
        body.insert("expires_at".to_owned(), json!(timestamp_after(seconds)));
    }
    Value::Object(body)
}

fn changed_token(token: &Value) -> String {
    let (id, name) = (text(token, "id"), text(token, "name"));
    let (role, end) = (show::role(token), moment(token, "expires_at"));
    format!("{id} {name}: {role}, expires {end}")
}
