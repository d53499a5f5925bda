//! Writes the SQL that puts a demo tenant and its keys into a database, and prints it with the keys
//! as one JSON object. The keys stand in the SQL as digests only.
//!
//! Native, for developers and tests; nothing of it runs in production.

mod entropy;
mod keys;
mod sql;

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use clap::Parser;
use clawless_core::Timestamp;
use serde::Serialize;

use crate::entropy::SystemEntropy;
use crate::keys::{DemoKeys, Known};

/// What the program is told.
#[derive(Debug, Parser)]
#[command(about, version)]
struct Arguments {
    /// A file with the keys of an earlier run, as this program printed them; they are used again
    /// if the file is there.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// The tenant's name.
    #[arg(long, default_value = "Demo", value_parser = tenant_name)]
    name: String,
}

/// What the program prints.
#[derive(Debug, Serialize)]
struct Seed {
    sql: String,
    #[serde(flatten)]
    keys: DemoKeys,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let known = match &arguments.keys {
        Some(file) => Known::read(file)?,
        None => Known::default(),
    };
    let now = now()?;
    let keys = DemoKeys::complete(&known, now, &SystemEntropy)?;
    let sql = sql::statements(&keys, &arguments.name, now, &SystemEntropy)?;
    println!("{}", serde_json::to_string(&Seed { sql, keys })?);
    Ok(())
}

/// The present moment, which only a native program may ask the system for.
fn now() -> anyhow::Result<Timestamp> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a native program, never a Worker"
    )]
    let now = std::time::SystemTime::now();
    let millis = now
        .duration_since(UNIX_EPOCH)
        .context("the clock stands before 1970")?
        .as_millis();
    Ok(Timestamp::from_millis(u64::try_from(millis)?))
}

/// Takes a name as the database does: 1 to 200 characters, none of them a control character.
fn tenant_name(text: &str) -> Result<String, &'static str> {
    let fits = (1..=200).contains(&text.chars().count()) && !text.contains(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a tenant's name has 1 to 200 characters and no control characters")
    }
}
