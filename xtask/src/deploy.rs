//! `cargo xtask deploy`: brings an environment to the checked-out commit. Every step finds out what is done
//! already, so an interrupted deployment is continued by the same command.

pub(crate) mod barriers;
pub(crate) mod configuration;
mod environment;
mod git;
mod plan;
pub(crate) mod prompt;
mod release;
mod resources;
mod schema;
pub(crate) mod secrets;
pub(crate) mod target;
mod validation;
pub(crate) mod versions;
mod wrangler;

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::{
    configuration::Config,
    git::Commit,
    release::Released,
    target::{Selection, Target},
};
use crate::{
    build_lock::BuildLock,
    bundle::{self, Profile},
    layout::{Layout, WORKERS},
    progress::{Progress, indented},
    settings, smoke,
    tools::{BuildTools, npm, rust},
};

pub(crate) use validation::validate_all;

/// Most uncommitted files that an error lists.
const MAX_SHOWN_FILES: usize = 10;

/// Arguments of `deploy`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Print the commands instead of running them, and check each configuration and bundle with wrangler;
    /// needs no account
    #[arg(long)]
    dry_run: bool,
    /// Values of secrets: a JSON object, or lines NAME=value. Without it, missing values are asked for
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
    /// Give the gateway's new version only this share of the requests. Repeat with a larger one; 100 ends it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    percentage: Option<u8>,
    /// Use the bundles in build/release as they are
    #[arg(long)]
    no_build: bool,
    /// Deploy uncommitted changes
    #[arg(long)]
    allow_dirty: bool,
    /// Apply migrations that remove what older Workers need
    #[arg(long)]
    contract: bool,
    /// Do not test the result with real calls
    #[arg(long)]
    no_smoke: bool,
}

/// Checks, creates what is missing, migrates, deploys and tests. A dry run prints these steps.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let started = Instant::now();
    let _lock = BuildLock::acquire(layout, progress)?;
    npm::ready(layout, progress)?;
    let mut target = Target::open(layout, &arguments.selection, arguments.dry_run, progress)?;
    let commit = check(&mut target, arguments)?;
    build(layout, arguments, progress)?;
    if arguments.dry_run {
        println!("\nThe plan for {} (`!` marks a change):", target.name);
        target.find_account()?;
    }
    resources::ensure(&mut target)?;
    let configs = write_configs(&target, &commit)?;
    let gateway = versions::deployments(&target, "gateway")?;
    let released = release(&target, arguments, &commit, &configs, gateway.as_deref())?;
    if arguments.dry_run {
        target
            .wrangler
            .preview("smoke test of the gateway with a tenant of its own");
        println!();
        return validation::validate(layout, &target, progress);
    }
    finish(&target, arguments, &commit, &released, started)
}

/// Applies the pending migrations of an environment's database.
pub(crate) fn migrate(layout: &Layout, selection: &Selection, progress: &Progress) -> Result<()> {
    let mut target = Target::open(layout, selection, false, progress)?;
    target.find_account()?;
    let commit = git::head(layout)?;
    target.write_config("gateway", &commit.tag)?;
    let pending = schema::pending(&target)?;
    schema::apply(&target, &pending, false)?;
    progress.line(format!("The database of {} is up to date.", target.name));
    Ok(())
}

/// The checks before the first change.
fn check(target: &mut Target<'_>, arguments: &Arguments) -> Result<Commit> {
    let (layout, progress) = (target.layout, target.progress);
    progress.line(format!("Checks for {}", target.name));
    let commit = git::head(layout)?;
    let changes = git::changes(layout)?;
    if !changes.is_empty() && !arguments.allow_dirty && !arguments.dry_run {
        bail!(
            "the working tree has uncommitted changes, which no commit describes: commit or stash them, or pass --allow-dirty:{}",
            indented(changes.iter().take(MAX_SHOWN_FILES).cloned())
        );
    }
    if !changes.is_empty() && arguments.percentage.is_some() {
        bail!("a gradual deployment is continued by its commit: commit the changes first");
    }
    progress.check(format!("commit {} ({})", commit.tag, commit.subject));
    let mut problems = Vec::new();
    for worker in WORKERS {
        let config = configuration::with_variables(layout, worker, target.environment())?;
        secrets::of_workers(&[(worker, config.clone())])?;
        problems.extend(settings::problems(worker, &config));
    }
    if !problems.is_empty() {
        bail!("the configuration is not complete:{}", indented(problems));
    }
    progress.check("every binding and required secret is configured");
    if arguments.dry_run {
        progress.check("the login is not needed for a dry run");
        return Ok(commit);
    }
    target.find_account()?;
    let account = target.environment().account_id.clone().unwrap_or_default();
    progress.check(format!("logged in, account {account}"));
    Ok(commit)
}

/// Builds the release, unless the existing bundles are to be used.
fn build(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    if arguments.no_build {
        let bundles = WORKERS.map(|worker| layout.at(format!("build/release/{worker}")));
        let missing = bundles.iter().find(|folder| {
            bundle::FILES
                .iter()
                .any(|file| !folder.join(file).is_file())
        });
        if let Some(folder) = missing {
            bail!(
                "{} has no complete bundle: build it with `cargo xtask build --release`",
                folder.display()
            );
        }
        return Ok(());
    }
    rust::wasm_target_ready(progress)?;
    let tools = BuildTools::ready(layout, progress)?;
    bundle::build_all(layout, &tools, Profile::Release, progress).map(drop)
}

/// Writes the configuration of each Worker.
fn write_configs(target: &Target<'_>, commit: &Commit) -> Result<Vec<(&'static str, Config)>> {
    let configs = WORKERS
        .into_iter()
        .map(|worker| Ok((worker, target.write_config(worker, &commit.tag)?)));
    configs.collect()
}

/// Migrates the database, then deploys the Workers: migrations only add, so the older Workers continue to
/// work with the new schema.
fn release(
    target: &Target<'_>,
    arguments: &Arguments,
    commit: &Commit,
    configs: &[(&'static str, Config)],
    gateway: Option<&[versions::Deployment]>,
) -> Result<Released> {
    let mut existing = vec![("gateway", gateway.is_some())];
    for worker in release::SERVICES {
        existing.push((worker, versions::deployments(target, worker)?.is_some()));
    }
    let exists = |worker: &str| {
        existing
            .iter()
            .any(|(name, exists)| *name == worker && *exists)
    };
    if arguments.percentage.is_some() && !existing.iter().all(|(_, exists)| *exists) {
        bail!(
            "{} is not deployed completely: deploy it without --percentage first",
            target.name
        );
    }
    // Before the first change of the database, so that a missing value stops nothing halfway.
    let files = secrets::collect(target, configs, arguments.secrets_file.as_deref(), exists)?;
    let pending = schema::pending(target)?;
    schema::apply(target, &pending, arguments.contract)?;
    let config = configs
        .iter()
        .find(|(worker, _)| *worker == "gateway")
        .map(|(_, config)| config);
    let config = config.context("there is no gateway")?;
    match (arguments.percentage, gateway) {
        (Some(percentage), Some(deployments)) => {
            release::gradually(target, commit, &files, percentage, deployments)
        }
        _ => release::all(target, commit, config, &files, gateway.is_none()),
    }
}

/// Tests the result and prints what was deployed.
fn finish(
    target: &Target<'_>,
    arguments: &Arguments,
    commit: &Commit,
    released: &Released,
    started: Instant,
) -> Result<()> {
    let progress = target.progress;
    if let Some(url) = &released.url {
        target.remember_url(url)?;
    }
    let token = secrets::operator_token(target);
    let token_file = secrets::keep_token(target)?;
    if let (Some(url), false) = (target.url(), arguments.no_smoke) {
        // In a gradual deployment both versions respond.
        let commit = arguments
            .percentage
            .is_none_or(|it| it == 100)
            .then(|| commit.tag.clone());
        smoke::check(smoke::Plan { url: &url, token, model: None, commit }, progress).with_context(|| {
            format!("{} is deployed, but its test failed; to return to the version before, run `cargo xtask rollback --env {}`", target.name, target.name)
        })?;
    }
    println!(
        "\nDeployed {} to {} in {:.0} s.\n",
        commit.tag,
        target.name,
        started.elapsed().as_secs_f64()
    );
    for line in &released.lines {
        println!("  {line}");
    }
    let name = target.worker("gateway");
    println!(
        "\n  address    {}",
        target
            .url()
            .unwrap_or_else(|| "see the log of wrangler".to_owned())
    );
    println!("  logs       npx wrangler tail {name}");
    println!("  roll back  cargo xtask rollback --env {}", target.name);
    if let Some(path) = token_file {
        println!(
            "\nThe first operator's token is in {}, which only you can read. Store it in a password manager, then delete the file.",
            path.display()
        );
    }
    if let Some(percentage) = arguments.percentage.filter(|percentage| *percentage < 100) {
        println!(
            "\n{percentage} % of the requests use the new version. Continue with a larger --percentage; 100 ends it."
        );
    }
    println!("\nCommit {} if it has changed.", environment::FILE);
    Ok(())
}
