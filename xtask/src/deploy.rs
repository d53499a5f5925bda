//! `cargo xtask deploy`: deploys the release bundles, or checks them with `--dry-run`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    build_lock::BuildLock,
    bundle::{self, FILES, Profile},
    layout::{Layout, WORKERS},
    process::{capture, run_logged},
    progress::Progress,
    stack::{config, database, state::State},
    stamp::write_atomically,
    tools::{BuildTools, npm, rust},
};

/// Digits of a placeholder id.
const PLACEHOLDER: &str = "00000000000000000000000000000000";

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Build and check each configuration with wrangler, without an upload
    #[arg(long)]
    dry_run: bool,
    /// First deployment of an account: generate the secrets, without asking wrangler whether a
    /// gateway exists
    #[arg(long, conflicts_with = "dry_run")]
    first: bool,
}

/// Builds the release, then checks or deploys it.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let _lock = BuildLock::acquire(layout, progress)?;
    rust::wasm_target_ready(progress)?;
    npm::ready(layout, progress)?;
    if !arguments.dry_run {
        require_ids(layout)?;
        require_login(layout)?;
    }
    let tools = BuildTools::ready(layout, progress)?;
    bundle::build_all(layout, &tools, Profile::Release, progress)?;
    if arguments.dry_run {
        return dry_run(layout, progress);
    }
    let is_first = arguments.first || is_first(layout)?;
    deploy(layout, is_first, progress)
}

/// Runs wrangler's dry run on each committed configuration and bundle.
pub(crate) fn dry_run(layout: &Layout, progress: &Progress) -> Result<()> {
    for worker in WORKERS {
        let task = progress.task(format!("dry run of {worker}"));
        let out = layout.at("build/dry-run").join(worker);
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| format!("can't empty {}", out.display()))?;
        }
        let mut command = npm::wrangler(layout, &layout.default_state())?;
        command.args(["deploy", "--dry-run", "--outdir"]).arg(&out);
        command.arg("--config").arg(committed(layout, worker));
        let log = layout.at(format!(".clawless/logs/dry-run-{worker}.log"));
        run_logged(&mut command, &log, Some(&task))?;
        // wrangler ignores modules that no rule of the configuration matches.
        if let Some(missing) = FILES.iter().find(|file| !out.join(file).is_file()) {
            bail!(
                "wrangler would not upload {missing} of {worker}: see `rules` in its configuration"
            );
        }
        task.done();
    }
    Ok(())
}

/// 1. Migrates the database. Migrations only add, so the deployed code works with the new schema.
/// 2. In a first deployment, generates the secrets and deploys the gateway without its services, since
///    the services bind its Durable Objects and it binds the services.
/// 3. Deploys the services. 4. Deploys the gateway.
fn deploy(layout: &Layout, is_first: bool, progress: &Progress) -> Result<()> {
    let state = State::new(&layout.default_state())?;
    database::migrate_remote(layout, &state, progress)?;
    let first = is_first
        .then(|| FirstSecrets::generate(layout, &state))
        .transpose()?;
    let secrets = |worker| first.as_ref().and_then(|first| first.file(worker));
    if let Some(first) = &first {
        // Before the upload, so that the token is known even if a later step fails.
        println!(
            "The first admin token, shown only once:\n{}",
            first.operator_token
        );
        progress.line("First deployment: the gateway is deployed without its services first.");
        let config = without_services(layout, &state)?;
        upload(layout, "gateway", &config, secrets("gateway"), progress)?;
    }
    for worker in ["admin", "widget-server", "gateway"] {
        let config = committed(layout, worker);
        upload(layout, worker, &config, secrets(worker), progress)?;
    }
    progress.line("Deployed. Show the gateway's log with `wrangler tail clawless-gateway`.");
    Ok(())
}

/// The secret with the first admin token.
const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// The secrets of a first deployment, in one private file per Worker.
struct FirstSecrets {
    files: Vec<(&'static str, PathBuf)>,
    operator_token: String,
}

impl FirstSecrets {
    fn generate(layout: &Layout, state: &State) -> Result<Self> {
        let (signing_key, operator_token) =
            (config::generate_secret()?, config::generate_secret()?);
        let mut files = Vec::new();
        for worker in WORKERS {
            let mut secrets = Map::new();
            if config::requires(&config::read(layout, worker)?, config::SIGNING_KEY) {
                secrets.insert(config::SIGNING_KEY.to_owned(), json!(signing_key));
            }
            if worker == "admin" {
                secrets.insert(ADMIN_TOKEN.to_owned(), json!(operator_token));
            }
            if !secrets.is_empty() {
                let path = state.config(&format!("first-secrets-{worker}"));
                write_atomically(&path, &serde_json::to_vec(&secrets)?, true)?;
                files.push((worker, path));
            }
        }
        Ok(Self {
            files,
            operator_token,
        })
    }

    fn file(&self, worker: &str) -> Option<&Path> {
        let mut files = self.files.iter();
        files
            .find(|(other, _)| *other == worker)
            .map(|(_, path)| path.as_path())
    }
}

impl Drop for FirstSecrets {
    /// Removes the files, also after a failed deployment.
    fn drop(&mut self) {
        for (_, path) in &self.files {
            if let Err(error) = fs::remove_file(path) {
                eprintln!(
                    "Remove {} manually, it contains a secret: {error}",
                    path.display()
                );
            }
        }
    }
}

fn upload(
    layout: &Layout,
    worker: &str,
    config: &Path,
    secrets: Option<&Path>,
    progress: &Progress,
) -> Result<()> {
    let task = progress.task(format!("deploying {worker}"));
    let mut command = npm::wrangler(layout, &layout.default_state())?;
    command.arg("deploy").arg("--config").arg(config);
    if let Some(secrets) = secrets {
        command.arg("--secrets-file").arg(secrets);
    }
    run_logged(
        &mut command,
        &layout.at(format!(".clawless/logs/deploy-{worker}.log")),
        Some(&task),
    )?;
    task.done();
    Ok(())
}

fn committed(layout: &Layout, worker: &str) -> PathBuf {
    layout.at(format!("wrangler/{worker}.jsonc"))
}

/// The platform's error code for a Worker that does not exist.
const WORKER_NOT_FOUND: &str = "code: 10007";

/// Whether the account has no gateway yet. Any other failure is an error: a first deployment replaces
/// the secrets in use.
fn is_first(layout: &Layout) -> Result<bool> {
    let mut command = npm::wrangler(layout, &layout.default_state())?;
    command
        .args(["deployments", "list", "--config"])
        .arg(committed(layout, "gateway"));
    match capture(&mut command) {
        Ok(_) => Ok(false),
        Err(error) if error.to_string().contains(WORKER_NOT_FOUND) => Ok(true),
        Err(error) => Err(error
            .context("can't find out whether the gateway is deployed; if it is not, use --first")),
    }
}

/// The gateway's configuration without bindings to Workers that do not exist yet.
fn without_services(layout: &Layout, state: &State) -> Result<PathBuf> {
    let mut config = config::read(layout, "gateway")?;
    config.remove("services");
    config.insert(
        "main".to_owned(),
        Value::String(
            layout
                .at("build/release/gateway/index.js")
                .display()
                .to_string(),
        ),
    );
    let path = state.config("gateway-first");
    write_atomically(&path, &serde_json::to_vec_pretty(&config)?, false)?;
    Ok(path)
}

/// Rejects configurations with placeholder ids.
fn require_ids(layout: &Layout) -> Result<()> {
    for worker in WORKERS {
        let text = serde_json::to_string(&config::read(layout, worker)?)?;
        if text.replace('-', "").contains(PLACEHOLDER) {
            bail!(
                "wrangler/{worker}.jsonc still has placeholder ids: see docs/deployment.md for the commands that create them"
            );
        }
    }
    Ok(())
}

fn require_login(layout: &Layout) -> Result<()> {
    let mut command = npm::wrangler(layout, &layout.default_state())?;
    capture(command.arg("whoami")).context(
        "wrangler is not logged in: run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN",
    )?;
    Ok(())
}
