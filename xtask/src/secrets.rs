//! `cargo xtask secrets`: which secrets the Workers of an environment have, and new values for them.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::{
    deploy::{
        configuration, prompt,
        secrets::{self, Origin, Secret},
        target::{Selection, Target},
        versions,
    },
    layout::{Layout, WORKERS},
    progress::Progress,
    stack::config::generate_secret,
    stamp::write_atomically,
    tools::npm,
};

/// Arguments of `secrets`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the secrets and whether they are set (the default)
    List,
    /// Set a secret of the deployed Workers. The value comes from a question on the terminal, or from
    /// standard input
    Set {
        /// Name of the secret
        name: String,
        /// Generate the value instead; an operator's token is written to a private file
        #[arg(long)]
        generate: bool,
    },
    /// Set all secrets of a file: a JSON object, or lines NAME=value
    Load {
        /// The file
        file: PathBuf,
    },
}

/// Lists or sets secrets.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    npm::ready(layout, progress)?;
    let mut target = Target::open(layout, &arguments.selection, false, progress)?;
    target.find_account()?;
    let known = known(&target)?;
    match arguments.command.as_ref().unwrap_or(&Command::List) {
        Command::List => list(&target, &known),
        Command::Set { name, generate } => {
            let users = users(&known, name)?;
            let value = if *generate {
                generated(&target, &users)?
            } else {
                prompt::secret(name)?
            };
            put(&target, &users, &value)
        }
        Command::Load { file } => {
            let values = secrets::read_file(file)?;
            let all = values
                .iter()
                .map(|(name, value)| Ok((users(&known, name)?, value)));
            // All names are checked before the first change.
            for (users, value) in all.collect::<Result<Vec<_>>>()? {
                put(&target, &users, value)?;
            }
            Ok(())
        }
    }
}

/// The secrets that the Workers of the environment use.
fn known(target: &Target<'_>) -> Result<Vec<Secret>> {
    let configs = WORKERS.into_iter().map(|worker| {
        Ok((
            worker,
            configuration::with_variables(target.layout, worker, target.environment())?,
        ))
    });
    secrets::of_workers(&configs.collect::<Result<Vec<_>>>()?)
}

fn users<'a>(known: &'a [Secret], name: &str) -> Result<Vec<&'a Secret>> {
    let users: Vec<&Secret> = known.iter().filter(|secret| secret.name == name).collect();
    if users.is_empty() {
        let mut names: Vec<&str> = known.iter().map(|secret| secret.name.as_str()).collect();
        names.dedup();
        bail!(
            "no Worker uses a secret `{name}`; they use {}",
            names.join(", ")
        );
    }
    Ok(users)
}

fn list(target: &Target<'_>, known: &[Secret]) -> Result<()> {
    println!("{:<16} {:<24} {:<10} PURPOSE", "WORKER", "SECRET", "STATE");
    let mut missing = 0;
    for worker in WORKERS {
        let exists = versions::deployments(target, worker)?.is_some();
        let set = if exists {
            secrets::set(target, worker)?
        } else {
            BTreeSet::default()
        };
        for secret in known.iter().filter(|secret| secret.worker == worker) {
            let is_optional = secret.origin == Origin::FirstToken;
            let state = match (set.contains(&secret.name), is_optional) {
                (true, _) => "set",
                (false, true) => "not set",
                (false, false) => "MISSING",
            };
            missing += usize::from(state == "MISSING");
            println!(
                "{worker:<16} {:<24} {state:<10} {}",
                secret.name, secret.purpose
            );
        }
        let others = set.iter().filter(|name| {
            known
                .iter()
                .all(|secret| secret.worker != worker || secret.name != **name)
        });
        for name in others {
            println!("{worker:<16} {name:<24} {:<10} -", "unused");
        }
    }
    if missing > 0 {
        bail!(
            "{missing} secrets are missing: set each with `cargo xtask secrets set NAME --env {}`",
            target.name
        );
    }
    Ok(())
}

/// A random value. The first operator's token is kept in a file, since somebody has to use it.
fn generated(target: &Target<'_>, users: &[&Secret]) -> Result<String> {
    let value = generate_secret()?;
    if users.iter().any(|secret| secret.origin == Origin::Given) {
        bail!("the value of this secret comes from its provider: it can't be generated");
    }
    if users
        .iter()
        .any(|secret| secret.origin == Origin::FirstToken)
    {
        let path = target.file(secrets::TOKEN_FILE);
        write_atomically(&path, value.as_bytes(), true)?;
        target.progress.line(format!(
            "The token is in {}, readable by you only.",
            path.display()
        ));
    }
    Ok(value)
}

fn put(target: &Target<'_>, users: &[&Secret], value: &str) -> Result<()> {
    for secret in users {
        let (worker, name) = (target.worker(secret.worker), &secret.name);
        target.wrangler.send(
            &format!("{name} of {worker}"),
            &["secret", "put", name, "--name", &worker],
            value,
        )?;
    }
    Ok(())
}
