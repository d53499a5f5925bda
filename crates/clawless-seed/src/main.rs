//! Prints the SQL that stores a demo tenant and its keys, and the keys, as one JSON object. The SQL
//! contains only digests of the keys.
//!
//! Native, for developers and tests; not used in production.

mod entropy;
mod keys;
mod sql;

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use clap::Parser;
use clawless_core::Timestamp;
use clawless_core::api_key::is_origin;
use serde::Serialize;

use crate::entropy::SystemEntropy;
use crate::keys::{DemoKeys, KnownKeys};

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(about, version)]
struct Arguments {
    /// A file with the output of an earlier run. Its keys are reused if it exists.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// The tenant's name.
    #[arg(long, default_value = "Demo", value_parser = tenant_name)]
    name: String,

    /// An origin of pages with the widget; may be repeated. With one, there is a public key for them.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    origin: Vec<String>,
}

/// The program's output.
#[derive(Debug, Serialize)]
struct Seed {
    sql: String,
    #[serde(flatten)]
    keys: DemoKeys,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let known = match &arguments.keys {
        Some(file) => KnownKeys::read(file)?,
        None => KnownKeys::default(),
    };
    let now = now()?;
    let with_widget = !arguments.origin.is_empty();
    let keys = DemoKeys::complete(&known, with_widget, now, &SystemEntropy)?;
    let mut sql = sql::statements(&keys, &arguments.name, now, &SystemEntropy)?;
    sql += &sql::widget(&keys, &arguments.origin, now, &SystemEntropy)?;
    println!("{}", serde_json::to_string(&Seed { sql, keys })?);
    Ok(())
}

/// Checks an origin as a key of the admin API would.
fn origin(text: &str) -> Result<String, &'static str> {
    if is_origin(text) {
        Ok(text.to_owned())
    } else {
        Err("an origin is scheme, host and port, as browsers send it: http://localhost:8787")
    }
}

/// The current time. Only native programs may read the system clock.
fn now() -> anyhow::Result<Timestamp> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a native program, never a Worker"
    )]
    let now = std::time::SystemTime::now();
    let millis = now
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?
        .as_millis();
    Ok(Timestamp::from_millis(u64::try_from(millis)?))
}

/// Checks a name as the database does: 1 to 200 characters without control characters.
fn tenant_name(text: &str) -> Result<String, &'static str> {
    let fits = (1..=200).contains(&text.chars().count()) && !text.contains(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a tenant's name has 1 to 200 characters and no control characters")
    }
}
