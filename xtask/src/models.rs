//! `cargo xtask models check`: compares the table of models with a public price list, in the format
//! of `LiteLLM` (`model_prices_and_context_window.json`) or of models.dev (`api.json`).

use std::{
    fmt::{self, Display},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use crate::layout::Layout;

/// The table of models.
const TABLE: &str = "crates/clawless-core/data/models.json";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the table of models with a price list and print the differences
    Check {
        /// A file in the format of `LiteLLM` or models.dev
        file: PathBuf,
    },
}

/// A model of the table.
#[derive(Debug, Deserialize)]
struct Known {
    kind: String,
    id: String,
    context: Option<u64>,
    max_output: Option<u64>,
    price: Option<Price>,
    note: Option<String>,
}

/// Prices in micro-dollars per million tokens.
#[derive(Debug, Deserialize)]
struct Price {
    input: u64,
    output: u64,
    cached_input: Option<u64>,
    cache_write: Option<u64>,
}

/// What a price list says of a model, in the table's units.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    input: Option<u64>,
    output: Option<u64>,
    cached_input: Option<u64>,
    cache_write: Option<u64>,
    context: Option<u64>,
    max_output: Option<u64>,
}

/// One difference.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    model: String,
    member: &'static str,
    table: Option<u64>,
    listed: Option<u64>,
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: Option<u64>| value.map_or("–".to_owned(), |it| it.to_string());
        write!(
            f,
            "{}: {} is {} in the table and {} in the file",
            self.model,
            self.member,
            text(self.table),
            text(self.listed)
        )
    }
}

/// Compares and prints.
pub(crate) fn run(layout: &Layout, arguments: &Arguments) -> Result<()> {
    let Command::Check { file } = &arguments.command;
    let table: Vec<Known> = serde_json::from_value(read(&layout.at(TABLE))?)
        .with_context(|| format!("{TABLE} is not a table of models"))?;
    let list = read(file)?;
    ensure!(
        list.as_object().is_some_and(|it| !it.is_empty()),
        "{} is not a price list of LiteLLM or models.dev",
        file.display()
    );
    let mut found = 0;
    for known in &table {
        let Some(listed) = find(&list, known) else {
            println!("{}: not in the file", known.id);
            continue;
        };
        let differences = compare(known, &listed);
        found += differences.len();
        for difference in &differences {
            println!("{difference}");
        }
        if let (Some(note), false) = (&known.note, differences.is_empty()) {
            println!("  note: {note}");
        }
    }
    println!("{found} differences in {} models", table.len());
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// What a list says of a model.
fn find(list: &Value, known: &Known) -> Option<Listed> {
    in_models_dev(list, known).or_else(|| in_litellm(list, known))
}

/// The provider's name in both formats.
fn provider(kind: &str) -> &'static [&'static str] {
    match kind {
        "anthropic" => &["anthropic"],
        "workers_ai" => &["cloudflare", "cloudflare-workers-ai"],
        _ => &["openai"],
    }
}

fn in_models_dev(list: &Value, known: &Known) -> Option<Listed> {
    let mut providers = provider(&known.kind).iter();
    let model = providers.find_map(|name| list.get(name)?.get("models")?.get(&known.id))?;
    let cost = |name: &str| price(model.get("cost")?.get(name)?, 1.0);
    let limit = |name: &str| model.get("limit")?.get(name)?.as_u64();
    Some(Listed {
        input: cost("input"),
        output: cost("output"),
        cached_input: cost("cache_read"),
        cache_write: cost("cache_write"),
        context: limit("context"),
        max_output: limit("output"),
    })
}

fn in_litellm(list: &Value, known: &Known) -> Option<Listed> {
    let names = provider(&known.kind).iter();
    let prefixed = names.map(|name| format!("{name}/{}", known.id));
    let model = [known.id.clone()].into_iter().chain(prefixed);
    let model = model
        .filter_map(|name| list.get(&name))
        .find(|it| it.get("input_cost_per_token").is_some())?;
    let cost = |name: &str| price(model.get(name)?, 1e6);
    let limit = |name: &str| model.get(name)?.as_u64();
    Some(Listed {
        input: cost("input_cost_per_token"),
        output: cost("output_cost_per_token"),
        cached_input: cost("cache_read_input_token_cost"),
        cache_write: cost("cache_creation_input_token_cost"),
        context: limit("max_input_tokens"),
        max_output: limit("max_output_tokens"),
    })
}

/// A price in dollars for so many tokens, in micro-dollars per million tokens.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a price is small and not negative"
)]
fn price(value: &Value, tokens_in_a_million: f64) -> Option<u64> {
    let micro_dollars = value.as_f64()? * tokens_in_a_million * 1e6;
    (0.0..=1e15)
        .contains(&micro_dollars)
        .then(|| micro_dollars.round() as u64)
}

/// The members in which the table and the list differ. What the list does not have is no difference.
fn compare(known: &Known, listed: &Listed) -> Vec<Difference> {
    let price = known.price.as_ref();
    let members = [
        ("price.input", price.map(|it| it.input), listed.input),
        ("price.output", price.map(|it| it.output), listed.output),
        (
            "price.cached_input",
            price.and_then(|it| it.cached_input),
            listed.cached_input,
        ),
        (
            "price.cache_write",
            price.and_then(|it| it.cache_write),
            listed.cache_write,
        ),
        ("context", known.context, listed.context),
        ("max_output", known.max_output, listed.max_output),
    ];
    let differences = members
        .into_iter()
        .filter(|(_, table, listed)| listed.is_some() && table != listed);
    differences
        .map(|(member, table, listed)| Difference {
            model: known.id.clone(),
            member,
            table,
            listed,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        serde_json::from_value(json!({
            "kind": "anthropic", "id": "m", "context": 1000, "max_output": 100,
            "price": {"input": 4_000_000, "output": 20_000_000, "cached_input": 200_000}
        }))
        .unwrap()
    }

    fn differences(list: &Value) -> Option<Vec<String>> {
        let listed = find(list, &known())?;
        let differences = compare(&known(), &listed);
        Some(differences.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn equal_prices_of_both_formats_are_no_difference() {
        let litellm = json!({"m": {"input_cost_per_token": 4e-6, "output_cost_per_token": 2e-5,
            "cache_read_input_token_cost": 2e-7, "max_input_tokens": 1000}});
        assert_eq!(differences(&litellm), Some(Vec::new()));
        let models_dev = json!({"anthropic": {"models": {"m": {
            "cost": {"input": 4, "output": 20, "cache_read": 0.2},
            "limit": {"context": 1000, "output": 100}}}}});
        assert_eq!(differences(&models_dev), Some(Vec::new()));
    }

    #[test]
    fn differences_name_the_model_the_member_and_both_values() {
        let litellm = json!({"anthropic/m": {"input_cost_per_token": 3e-6,
            "output_cost_per_token": 2e-5, "cache_creation_input_token_cost": 5e-6}});
        assert_eq!(
            differences(&litellm),
            Some(vec![
                "m: price.input is 4000000 in the table and 3000000 in the file".to_owned(),
                "m: price.cache_write is – in the table and 5000000 in the file".to_owned(),
            ])
        );
        assert_eq!(differences(&json!({"openai": {"models": {"m": {}}}})), None);
    }
}
