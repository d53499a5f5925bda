//! `cargo xtask rollback`: returns each Worker to the version before the current one.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    deploy::{
        barriers, prompt, secrets,
        target::{Selection, Target},
        versions::{Deployment, History, Version},
    },
    layout::Layout,
    progress::Progress,
    smoke,
    tools::npm,
};

/// The order: the gateway calls the services, which are compatible with the gateway before them.
const ORDER: [&str; 3] = ["gateway", "admin", "widget-server"];

/// The start of the description of a rollback, which a repeated run recognises.
const MESSAGE: &str = "rollback to ";

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Commit to return to, as in `deployments` [default: the one before the current]
    #[arg(long, value_name = "COMMIT")]
    to: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print the commands instead of running them; asks the account for its versions
    #[arg(long)]
    dry_run: bool,
    /// Do not run the smoke test
    #[arg(long)]
    no_smoke: bool,
}

/// A Worker and where it returns to.
struct Step {
    worker: &'static str,
    /// `None` if the Worker is there already.
    version: Option<String>,
}

/// Finds the versions of the previous commit, checks for barriers, and deploys them.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    npm::ready(layout, progress)?;
    let mut target = Target::open(layout, &arguments.selection, false, progress)?;
    target.find_account()?;
    let histories = ORDER
        .into_iter()
        .map(|worker| History::read(&target, worker))
        .collect::<Result<Vec<_>>>()?;
    let (current, previous) = commits(&histories)?;
    let to = match (&arguments.to, previous) {
        (Some(commit), _) => commit.clone(),
        (None, Some(previous)) => previous,
        (None, None) => bail!(
            "the last deployments of the gateway have no commit before {current}: there is no previous version"
        ),
    };
    let steps = histories
        .iter()
        .map(|history| step(&target, history, &to))
        .collect::<Result<Vec<_>>>()?;
    if steps.iter().all(|step| step.version.is_none()) {
        progress.line(format!(
            "All Workers of {} run {to} already. To return to an earlier commit, name it with --to.",
            target.name
        ));
        return Ok(());
    }
    barriers::check(layout, &to, &current)?;
    show(&target, &steps, &current, &to);
    if arguments.dry_run {
        return Ok(());
    }
    if !arguments.yes && !prompt::confirm("Continue?")? {
        bail!("nothing was changed: confirm in a terminal, or pass --yes");
    }
    for Step { worker, version } in &steps {
        if let Some(version) = version {
            let (name, message) = (target.worker(worker), format!("{MESSAGE}{to}"));
            let arguments = [
                "rollback",
                version,
                "--name",
                &name,
                "--message",
                &message,
                "--yes",
            ];
            target
                .wrangler
                .change(&format!("rolling back {name}"), &arguments)?;
        }
    }
    progress.line(format!(
        "All Workers of {} run {to}. The database keeps its schema.",
        target.name
    ));
    if arguments.no_smoke {
        return Ok(());
    }
    let token = secrets::operator_token(&target);
    let Some(url) = target.url() else {
        progress
            .warn("The gateway's address is not recorded here: run `cargo xtask smoke --url URL`.");
        return Ok(());
    };
    let plan = smoke::Plan {
        url: &url,
        token,
        model: None,
        commit: Some(to),
    };
    smoke::check(plan, progress)
}

fn show(target: &Target<'_>, steps: &[Step], current: &str, to: &str) {
    println!("Rollback of {} from {current} to {to}:", target.name);
    for step in steps {
        let name = target.worker(step.worker);
        match &step.version {
            Some(version) => println!("  {name:<32} → {version}"),
            None => println!("  {name:<32} is there already"),
        }
    }
}

/// The commit that the gateway runs, and the one before it. After a rollback both are the one that it aimed
/// at, so that a repeated command completes it and goes no further.
fn commits(histories: &[History<'_>]) -> Result<(String, Option<String>)> {
    let gateway = histories.first().context("there is no gateway")?;
    let version = gateway
        .running()?
        .into_iter()
        .next()
        .context("the gateway has no deployment")?;
    let current = gateway.commit(&version).with_context(|| {
        format!("the gateway's version {} was not deployed by `cargo xtask deploy`: use `npx wrangler rollback`", version.id)
    })?;
    let aim = gateway.deployments.first().and_then(Deployment::message);
    if aim.and_then(|message| message.strip_prefix(MESSAGE)) == Some(&current) {
        return Ok((current.clone(), Some(current)));
    }
    let earlier = gateway
        .deployed()?
        .into_iter()
        .filter(|it| it.created_on() < version.created_on());
    let mut commits = earlier.filter_map(|it| gateway.commit(&it));
    let previous = commits.find(|other| *other != current);
    Ok((current, previous))
}

/// How a Worker returns to a commit.
fn step(target: &Target<'_>, history: &History<'_>, commit: &str) -> Result<Step> {
    let worker = history.worker;
    let is_wanted = |version: &Version| history.commit(version).as_deref() == Some(commit);
    if let [only] = history.running()?.as_slice()
        && is_wanted(only)
    {
        return Ok(Step {
            worker,
            version: None,
        });
    }
    let version = history.deployed()?.into_iter().find(is_wanted);
    let name = target.worker(worker);
    let version = version.with_context(|| {
        format!("{name} has no version of {commit} among its last deployments: see `npx wrangler deployments list --name {name}`")
    })?;
    Ok(Step {
        worker,
        version: Some(version.id),
    })
}
