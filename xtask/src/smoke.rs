//! `cargo xtask smoke`: real calls to a deployed gateway with a tenant of its own, which is deleted at the end.

mod http;
mod steps;

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::{http::Api, steps::Smoke};
use crate::progress::Progress;

/// Arguments of `smoke`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// URL of the gateway
    #[arg(long, value_name = "URL")]
    url: String,
    /// File with an operator's token [default: the variable `CLAWLESS_ADMIN_TOKEN`]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Model to call [default: the first that the gateway offers]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
}

/// Runs all checks. Fails if one failed.
pub(crate) fn run(arguments: &Arguments, progress: &Progress) -> Result<()> {
    let token = match &arguments.token_file {
        Some(path) => Some(
            fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?,
        ),
        None => env::var("CLAWLESS_ADMIN_TOKEN").ok(),
    };
    let token = token
        .map(|token| token.trim().to_owned())
        .filter(|it| !it.is_empty());
    let plan = Plan {
        url: &arguments.url,
        token,
        model: arguments.model.clone(),
        commit: None,
    };
    check(plan, progress)
}

/// What to check.
pub(crate) struct Plan<'a> {
    /// The gateway.
    pub(crate) url: &'a str,
    /// An operator's token. Without one only the health is checked.
    pub(crate) token: Option<String>,
    /// The model to call.
    pub(crate) model: Option<String>,
    /// The commit that must respond. `None` accepts any.
    pub(crate) commit: Option<String>,
}

/// Runs the checks of a plan, prints a line for each, and deletes the tenant in any case.
pub(crate) fn check(plan: Plan<'_>, progress: &Progress) -> Result<()> {
    progress.line(format!("Smoke test of {}", plan.url));
    let api = Api::new(plan.url);
    let mut smoke = Smoke::new(&api, plan.token, plan.model, progress);
    smoke.health(plan.commit.as_deref())?;
    if !smoke.has_token() {
        progress.warn("No operator's token: only the health was checked. Set CLAWLESS_ADMIN_TOKEN, or pass --token-file, for real calls.");
        return Ok(());
    }
    let result = smoke.calls();
    let cleaned = smoke.clean_up();
    match (result, cleaned) {
        (Ok(()), cleaned) => cleaned,
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(cleanup)) => bail!("{error:#}; and the cleanup failed: {cleanup:#}"),
    }
}
