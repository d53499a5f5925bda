//! `cargo xtask deploy`: the release bundles onto the platform, or a rehearsal of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    bundle::{self, FILES, Profile},
    layout::{Layout, WORKERS},
    process::{capture, run_logged},
    progress::Progress,
    stack::{config, database, state::State},
    stamp::write_whole,
    tools::{BuildTools, npm, rust},
    turn::Turn,
};

/// Digits of an id that nobody has filled in.
const PLACEHOLDER: &str = "00000000000000000000000000000000";

/// Whether to really do it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Build, and let wrangler check each configuration, but upload nothing
    #[arg(long)]
    dry_run: bool,
    /// The account has no gateway yet: make the secrets and deploy all from nothing, whatever
    /// wrangler says of it
    #[arg(long, conflicts_with = "dry_run")]
    first: bool,
}

/// Builds the release, then rehearses or deploys it.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let _turn = Turn::take(layout, progress)?;
    rust::wasm_target_ready(progress)?;
    npm::ready(layout, progress)?;
    if !arguments.dry_run {
        require_ids(layout)?;
        require_login(layout)?;
    }
    let tools = BuildTools::ready(layout, progress)?;
    bundle::build_all(layout, &tools, Profile::Release, progress)?;
    if arguments.dry_run {
        return rehearse(layout, progress);
    }
    let is_first = arguments.first || is_first(layout)?;
    deploy(layout, is_first, progress)
}

/// Has the real wrangler take each committed configuration and bundle as for a deployment.
pub(crate) fn rehearse(layout: &Layout, progress: &Progress) -> Result<()> {
    for worker in WORKERS {
        let task = progress.task(format!("wrangler's check of {worker}"));
        let out = layout.at("build/dry-run").join(worker);
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| format!("can't empty {}", out.display()))?;
        }
        let mut command = npm::wrangler(layout, &layout.default_state())?;
        command.args(["deploy", "--dry-run", "--outdir"]).arg(&out);
        command.arg("--config").arg(committed(layout, worker));
        let log = layout.at(format!(".clawless/logs/dry-run-{worker}.log"));
        run_logged(&mut command, &log, Some(&task))?;
        // wrangler does not mind a module that no rule of the configuration finds.
        if let Some(lost) = FILES.iter().find(|file| !out.join(file).is_file()) {
            bail!(
                "wrangler would leave {lost} of {worker} behind: see `rules` in its configuration"
            );
        }
        task.done();
    }
    Ok(())
}

/// 1. Migrates the database: migrations only ever add, so the old code runs on with the new schema.
/// 2. The first time, makes the secrets, and deploys the gateway without its services: they need its
///    objects, it needs them.
/// 3. Deploys the services. 4. Deploys the gateway.
fn deploy(layout: &Layout, is_first: bool, progress: &Progress) -> Result<()> {
    let state = State::new(&layout.default_state())?;
    database::migrate_remote(layout, &state, progress)?;
    let first = is_first
        .then(|| FirstSecrets::make(layout, &state))
        .transpose()?;
    let secrets = |worker| first.as_ref().and_then(|first| first.of(worker));
    if let Some(first) = &first {
        // Before anything is uploaded: should the rest fail, the token is known all the same.
        println!(
            "The first operator's token for the admin API, shown this once:\n{}",
            first.operator_token
        );
        progress.line("There is no gateway yet: the first is deployed without its services.");
        let config = without_services(layout, &state)?;
        upload(layout, "gateway", &config, secrets("gateway"), progress)?;
    }
    for worker in ["admin", "widget-server", "gateway"] {
        let config = committed(layout, worker);
        upload(layout, worker, &config, secrets(worker), progress)?;
    }
    progress.line("Deployed. The gateway's log is `wrangler tail clawless-gateway`.");
    Ok(())
}

/// The secret with the first operator's token.
const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// The secrets of a first deployment: a file for each Worker that has any, for wrangler alone to
/// read.
struct FirstSecrets {
    files: Vec<(&'static str, PathBuf)>,
    operator_token: String,
}

impl FirstSecrets {
    fn make(layout: &Layout, state: &State) -> Result<Self> {
        let (signing_key, operator_token) = (config::fresh_secret()?, config::fresh_secret()?);
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
                write_whole(&path, &serde_json::to_vec(&secrets)?, true)?;
                files.push((worker, path));
            }
        }
        Ok(Self {
            files,
            operator_token,
        })
    }

    fn of(&self, worker: &str) -> Option<&Path> {
        let mut files = self.files.iter();
        files
            .find(|(other, _)| *other == worker)
            .map(|(_, path)| path.as_path())
    }
}

impl Drop for FirstSecrets {
    /// The files go, however the deployment ends.
    fn drop(&mut self) {
        for (_, path) in &self.files {
            if let Err(error) = fs::remove_file(path) {
                eprintln!(
                    "Remove {} yourself, it holds a secret: {error}",
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

/// The platform's code for a Worker that does not exist.
const NO_SUCH_WORKER: &str = "code: 10007";

/// Whether the account has no gateway yet. Whatever else goes wrong must not look like it: a first
/// deployment makes secrets, and would replace those in use.
fn is_first(layout: &Layout) -> Result<bool> {
    let mut command = npm::wrangler(layout, &layout.default_state())?;
    command
        .args(["deployments", "list", "--config"])
        .arg(committed(layout, "gateway"));
    match capture(&mut command) {
        Ok(_) => Ok(false),
        Err(error) if error.to_string().contains(NO_SUCH_WORKER) => Ok(true),
        Err(error) => Err(error.context(
            "can't tell whether the gateway is deployed already; if it certainly is not, use --first",
        )),
    }
}

/// The gateway's configuration with everything but the bindings to Workers that do not exist yet.
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
    write_whole(&path, &serde_json::to_vec_pretty(&config)?, false)?;
    Ok(path)
}

/// Refuses to deploy with ids that nobody has filled in.
fn require_ids(layout: &Layout) -> Result<()> {
    for worker in WORKERS {
        let text = serde_json::to_string(&config::read(layout, worker)?)?;
        if text.replace('-', "").contains(PLACEHOLDER) {
            bail!(
                "wrangler/{worker}.jsonc still has placeholders for ids: see docs/deployment.md for the two commands that make them"
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
