//! `wrangler/environments.jsonc`: what differs between the environments, and the ids of their resources.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstRootNode},
    parse_to_serde_value,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{layout::Layout, stamp::write_atomically};

/// The file, below the root of the checkout.
pub(crate) const FILE: &str = "wrangler/environments.jsonc";

/// One environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    /// The account. `None` until a deployment has found it.
    pub(crate) account_id: Option<String>,
    /// The end of each resource's name.
    pub(crate) suffix: String,
    /// Added to the namespace ids of rate limits.
    pub(crate) rate_limit_offset: u32,
    /// The gateway's own domain.
    pub(crate) domain: Option<String>,
    /// Further routes of the gateway.
    pub(crate) routes: Vec<Value>,
    /// Variables by Worker.
    pub(crate) vars: BTreeMap<String, Map<String, Value>>,
    /// Ids of the D1 databases by their name without suffix.
    pub(crate) databases: BTreeMap<String, String>,
    /// Ids of the KV namespaces by their binding.
    pub(crate) namespaces: BTreeMap<String, String>,
}

/// A value that a deployment records.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'a> {
    /// The account.
    Account,
    /// The database with this name without suffix.
    Database(&'a str),
    /// The namespace of this binding.
    Namespace(&'a str),
}

/// The file with all environments.
#[derive(Debug)]
pub(crate) struct Environments {
    path: PathBuf,
    all: BTreeMap<String, Environment>,
}

impl Environments {
    /// Reads the file. Fails if two environments would share a resource.
    pub(crate) fn read(layout: &Layout) -> Result<Self> {
        let path = layout.at(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {FILE}"))?;
        let all = parse(&text).with_context(|| format!("{FILE} is not valid"))?;
        Ok(Self { path, all })
    }

    /// The environment of this name.
    pub(crate) fn get(&self, name: &str) -> Result<&Environment> {
        let names = || self.names().join(", ");
        self.all.get(name).with_context(|| {
            format!(
                "no environment is named `{name}` in {FILE}: use {}",
                names()
            )
        })
    }

    /// The names of all environments.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all.keys().cloned().collect()
    }

    /// Writes a value into the file and keeps its comments.
    pub(crate) fn record(&mut self, name: &str, entry: Entry<'_>, value: &str) -> Result<()> {
        let text = fs::read_to_string(&self.path).with_context(|| format!("can't read {FILE}"))?;
        let text = set(&text, name, entry, value)?;
        self.all = parse(&text).with_context(|| format!("can't record an id in {FILE}"))?;
        write_atomically(&self.path, text.as_bytes(), false)
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, Environment>> {
    let all = parse_to_serde_value(text, &ParseOptions::default())?;
    let shared = shared(&all);
    if let [first, ..] = shared.as_slice() {
        bail!("{first}: environments must not share resources");
    }
    Ok(all)
}

/// What two environments share, one line each.
fn shared(all: &BTreeMap<String, Environment>) -> Vec<String> {
    let mut owners: BTreeMap<(&str, String), &str> = BTreeMap::new();
    let mut shared = Vec::new();
    for (name, environment) in all {
        let mut values = vec![
            ("suffix", environment.suffix.clone()),
            (
                "rate_limit_offset",
                environment.rate_limit_offset.to_string(),
            ),
        ];
        values.extend(environment.domain.clone().map(|it| ("domain", it)));
        let ids = environment.databases.values();
        let ids = ids.chain(environment.namespaces.values());
        values.extend(ids.map(|id| ("id", id.clone())));
        let patterns = environment.routes.iter();
        let patterns = patterns.filter_map(|route| route.get("pattern").and_then(Value::as_str));
        values.extend(patterns.map(|pattern| ("route", pattern.to_owned())));
        for (kind, value) in values {
            if let Some(other) = owners.insert((kind, value.clone()), name) {
                shared.push(format!(
                    "`{other}` and `{name}` have the same {kind} `{value}`"
                ));
            }
        }
    }
    shared
}

/// The text of the file with one more value.
fn set(text: &str, name: &str, entry: Entry<'_>, value: &str) -> Result<String> {
    let root = CstRootNode::parse(text, &ParseOptions::default())?;
    let all = root.object_value_or_set();
    let environment = all.object_value_or_set(name);
    let (object, key) = match entry {
        Entry::Account => (environment, "account_id"),
        Entry::Database(database) => (environment.object_value_or_set("databases"), database),
        Entry::Namespace(binding) => (environment.object_value_or_set("namespaces"), binding),
    };
    let value = CstInputValue::String(value.to_owned());
    match object.get(key) {
        Some(property) => property.set_value(value),
        None => drop(object.append(key, value)),
    }
    Ok(root.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> String {
        fs::read_to_string(Layout::find().unwrap().at(FILE)).unwrap()
    }

    #[test]
    fn committed_environments_share_nothing() {
        let all = parse(&committed()).unwrap();
        assert_eq!(
            all.keys().map(String::as_str).collect::<Vec<_>>(),
            ["production", "staging"]
        );
    }

    #[test]
    fn recorded_ids_keep_the_comments_and_replace_older_ones() {
        let text = committed();
        let with = |text: &str, entry, value| set(text, "staging", entry, value).unwrap();
        let text = with(&text, Entry::Account, "a");
        let text = with(&text, Entry::Database("clawless"), "old");
        let text = with(&text, Entry::Database("clawless"), "d");
        let text = with(&text, Entry::Namespace("CACHE"), "k");
        let comments = |text: &str| text.matches("// ").count();
        assert_eq!(comments(&text), comments(&committed()));
        let all = parse(&text).unwrap();
        let staging = all.get("staging").unwrap();
        assert_eq!(staging.account_id.as_deref(), Some("a"));
        assert_eq!(
            (
                staging.databases.get("clawless"),
                staging.namespaces.get("CACHE")
            ),
            (Some(&"d".to_owned()), Some(&"k".to_owned()))
        );
        assert!(all.get("production").unwrap().databases.is_empty());
    }

    #[test]
    fn a_shared_resource_is_refused_by_name() {
        for (from, to, named) in [
            (r#""suffix": "-staging""#, r#""suffix": """#, "suffix"),
            ("1000", "0", "rate_limit_offset"),
        ] {
            let error = parse(&committed().replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
        let both = [("production", "1"), ("staging", "1")];
        let text = both.iter().fold(committed(), |text, (name, id)| {
            set(&text, name, Entry::Database("clawless"), id).unwrap()
        });
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().contains("id `1`"), "{error}");
    }
}
