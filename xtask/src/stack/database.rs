//! The local database: migrations and the demo tenant.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    stack::{config, state::State},
    stamp::{Stamp, digest_of, write_atomically},
    tools::{npm, rust::cargo},
};

/// The database's name in every configuration.
pub(crate) const NAME: &str = "clawless";

/// The output of `clawless-seed`.
#[derive(Deserialize)]
struct Seed {
    sql: String,
    #[serde(flatten)]
    keys: DemoKeys,
}

/// The demo tenant and its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DemoKeys {
    /// The tenant's id.
    pub(crate) tenant_id: Option<String>,
    /// For servers.
    pub(crate) secret_key: Option<String>,
    /// For browsers.
    pub(crate) public_key: Option<String>,
    /// For the admin API.
    pub(crate) admin_token: Option<String>,
    /// Other members, passed back to `clawless-seed`.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// The origins of this stack's own pages.
pub(crate) fn own_origins(port: u16) -> [String; 2] {
    ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{port}"))
}

/// Applies pending migrations to the local database.
pub(crate) fn migrate(layout: &Layout, state: &State, progress: &Progress) -> Result<()> {
    let stamp = Stamp::new(state.stamp("migrations"), migrations(layout)?);
    if stamp.is_current() {
        return Ok(());
    }
    let task = progress.task("database migrations");
    let mut command = wrangler_d1(layout, state)?;
    command.args(["migrations", "apply", NAME, "--local"]);
    command
        .arg("--persist-to")
        .arg(state.storage())
        .arg("--config")
        .arg(config::write_database(layout, state)?);
    run_logged(&mut command, &state.log("migrate"), Some(&task))?;
    stamp.set()?;
    task.done();
    Ok(())
}

/// Inserts the demo tenant into the local database, with its previous keys if there are any. The public key
/// admits pages of these origins.
pub(crate) fn seed(
    layout: &Layout,
    state: &State,
    origins: &[String],
    progress: &Progress,
) -> Result<DemoKeys> {
    let program = built_seed(layout, state)?;
    let previous = fs::read_to_string(state.demo_keys()).ok();
    let stamp = |keys: &str| -> Result<Stamp> {
        Ok(Stamp::new(
            state.stamp("seed"),
            format!("{}\n{origins:?}\n{keys}", digest_of(&program, |_| ())?),
        ))
    };
    if let Some(keys) = previous
        .as_deref()
        .filter(|keys| stamp(keys).is_ok_and(|stamp| stamp.is_current()))
    {
        return serde_json::from_str(keys)
            .context("the demo keys can't be read: start with --fresh");
    }
    let task = progress.task("demo tenant");
    let mut command = Command::new(&program);
    for origin in origins {
        command.args(["--origin", origin]);
    }
    if previous.is_some() {
        command.arg("--keys").arg(state.demo_keys());
    }
    let seed: Seed = serde_json::from_str(&capture(&mut command)?)
        .context("the output of clawless-seed is not valid")?;
    let statements = state.storage().join("seed.sql");
    write_atomically(&statements, seed.sql.as_bytes(), true)?;
    let mut command = wrangler_d1(layout, state)?;
    command
        .args(["execute", NAME, "--local", "--yes", "--file"])
        .arg(&statements);
    command
        .arg("--persist-to")
        .arg(state.storage())
        .arg("--config")
        .arg(config::write_database(layout, state)?);
    run_logged(&mut command, &state.log("seed"), Some(&task))?;
    fs::remove_file(&statements)
        .with_context(|| format!("can't remove {}", statements.display()))?;
    let keys = serde_json::to_string_pretty(&seed.keys)?;
    write_atomically(&state.demo_keys(), keys.as_bytes(), true)?;
    stamp(&keys)?.set()?;
    task.done();
    Ok(seed.keys)
}

fn wrangler_d1(layout: &Layout, state: &State) -> Result<Command> {
    let mut command = npm::wrangler(layout, state.root())?;
    // Without confirmation prompts.
    command.arg("d1").env("CI", "true");
    Ok(command)
}

/// The migration files' names and contents.
fn migrations(layout: &Layout) -> Result<String> {
    let folder = layout.at("migrations");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("can't read {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    files.iter().try_fold(String::new(), |all, file| {
        let text =
            fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
        Ok(all + &file.file_name().unwrap_or_default().to_string_lossy() + "\n" + &text)
    })
}

fn built_seed(layout: &Layout, state: &State) -> Result<PathBuf> {
    let mut build = cargo();
    build
        .args(["build", "--package", "clawless-seed"])
        .current_dir(layout.root());
    run_logged(&mut build, &state.log("build-seed"), None)?;
    Ok(layout.target().join("debug/clawless-seed"))
}
