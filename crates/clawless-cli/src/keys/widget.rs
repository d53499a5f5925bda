//! `keys widget`: the chat widget of a public key.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{
    client::{Client, Method},
    connection::Connection,
    settings::patch,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the settings
    Show {
        /// The public key's id
        key: String,
    },
    /// Change settings; null removes one
    Set {
        /// The public key's id
        key: String,
        /// Settings, such as `title=Support`, `colours.accent=#5746e0` or `languages=["en","de"]`
        #[arg(required_unless_present = "user_key")]
        settings: Vec<String>,
        /// A file with the public key (PEM) that verifies the tokens of signed-in users
        #[arg(long, value_name = "FILE", requires = "user_algorithm")]
        user_key: Option<PathBuf>,
        /// The algorithm of these tokens: ES256, RS256 or `EdDSA`
        #[arg(long, value_name = "NAME", requires = "user_key")]
        user_algorithm: Option<String>,
    },
    /// Set or remove the logo
    Logo {
        /// The public key's id
        key: String,
        /// A PNG, JPEG or WebP image of at most 64 KB and 1024 × 1024 pixels; without one the logo is removed
        file: Option<PathBuf>,
    },
}

/// Runs a command. `keys` is the path of the tenant's keys.
pub(super) fn run(
    command: &Command,
    connection: &Connection,
    client: &Client,
    keys: &str,
) -> Result<()> {
    let path = |key: &str| format!("{keys}/{key}/widget");
    let widget = match command {
        Command::Show { key } => client.request(Method::Get, &path(key), None)?,
        Command::Set {
            key,
            settings,
            user_key,
            user_algorithm,
        } => {
            let mut body = patch(settings)?;
            if let Some(file) = user_key {
                let pem = fs::read_to_string(file)
                    .with_context(|| format!("can't read {}", file.display()))?;
                add_user_key(&mut body, user_algorithm.as_deref(), &pem);
            }
            client.request(Method::Patch, &path(key), Some(&Value::Object(body)))?
        }
        Command::Logo { key, file } => {
            let path = format!("{}/logo", path(key));
            match file {
                Some(file) => {
                    let image =
                        fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
                    let image = base64::engine::general_purpose::STANDARD.encode(image);
                    client.request(Method::Put, &path, Some(&json!({ "image": image })))?
                }
                None => client.request(Method::Delete, &path, None)?,
            }
        }
    };
    connection.print(&widget, shown);
    Ok(())
}

/// Adds a public key to the settings of user tokens.
fn add_user_key(body: &mut Map<String, Value>, algorithm: Option<&str>, pem: &str) {
    let users = body.entry("user_tokens").or_insert_with(|| json!({}));
    if !users.is_object() {
        *users = json!({});
    }
    if let Some(users) = users.as_object_mut() {
        users.insert("algorithm".to_owned(), json!(algorithm));
        users.insert("public_key".to_owned(), json!(pem));
    }
}

/// One setting a line.
fn shown(widget: &Value) -> String {
    let members = widget.as_object().into_iter().flatten();
    let lines = members.filter(|(name, value)| *name != "object" && !value.is_null());
    let line = |(name, value): (&String, &Value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!("{name:<16} {value}")
    };
    lines.map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_of_user_tokens_is_added_to_their_other_settings() {
        let mut body = patch(&["user_tokens.required=true".to_owned()]).expect("valid");
        add_user_key(&mut body, Some("ES256"), "PEM");
        let users = json!({"required": true, "algorithm": "ES256", "public_key": "PEM"});
        assert_eq!(body.get("user_tokens"), Some(&users));
    }

    #[test]
    fn settings_are_shown_one_a_line() {
        let widget = json!({"object": "widget", "key_id": "key_1", "title": "Acme",
            "colours": {"accent": "#5746e0"}, "logo": null});
        let text = shown(&widget);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                r##"colours          {"accent":"#5746e0"}"##,
                "key_id           key_1",
                "title            Acme",
            ]
        );
    }
}
