//! `cargo xtask load`: simulated users against a stack, a report, and the invariants of what was stored and booked.
//!
//! The load itself is `bench/load/`.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    build_lock::BuildLock,
    bundle::{self, Profile},
    layout::Layout,
    process::run_logged,
    progress::Progress,
    stack::{record::Access, state::State},
    tools::{BuildTools, npm, rust},
};

/// The duration of a soak, in seconds.
const SOAK: u64 = 3600;

/// The users of one tenant, unless `--tenants` says otherwise: one ledger serves them all.
const USERS_OF_TENANT: u32 = 50;

/// Arguments of `load`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Users who chat at the same time
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: u32,
    /// Time of the load, such as 90s, 10m or 1h [default: 1m; with --soak 1h]
    #[arg(long, value_parser = seconds)]
    duration: Option<u64>,
    /// A user's mean time between an answer and the next message, in seconds
    #[arg(long, default_value_t = 5.0, value_parser = think_time)]
    think: f64,
    /// Tenants that the users belong to [default: one for every 50 users]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    tenants: Option<u32>,
    /// Fail if the memory of the runtime grows
    #[arg(long)]
    soak: bool,
    /// Use the running stack of this state folder, instead of a stack with a scripted provider
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    state: Option<PathBuf>,
    /// Use this gateway. Needs an operator's token
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// File with the operator's token [default: the variable `CLAWLESS_ADMIN_TOKEN`]
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// Model to call [default: the first that the gateway offers]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Use the bundles in build/release instead of building them
    #[arg(long)]
    no_build: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// Runs the load. Fails if an invariant is broken.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    npm::ready(layout, progress)?;
    let default = if arguments.soak { SOAK } else { 60 };
    let tenants = arguments.users.div_ceil(USERS_OF_TENANT);
    let mut options: Map<String, Value> = [
        ("users", json!(arguments.users)),
        (
            "durationMs",
            json!(arguments.duration.unwrap_or(default).saturating_mul(1000)),
        ),
        ("thinkMs", json!(arguments.think * 1000.0)),
        ("tenants", json!(arguments.tenants.unwrap_or(tenants))),
        ("soak", json!(arguments.soak)),
        ("json", json!(arguments.json)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let script = layout.at("bench/load/run.mjs");
    let state = layout.at(".clawless/load");
    let mut command = npm::node_with_wrangler(layout, &state, &script)?;
    match target(arguments)? {
        Some(Running { url, token, pids }) => {
            options.extend([
                ("url".to_owned(), json!(url)),
                ("roots".to_owned(), json!(pids)),
                ("model".to_owned(), json!(arguments.model)),
            ]);
            command.env("CLAWLESS_ADMIN_TOKEN", token);
        }
        None => prepare_own(layout, arguments, &mut command, progress)?,
    }
    let status = command.arg(Value::Object(options).to_string()).status();
    let status = status.context("can't start bench/load/run.mjs")?;
    ensure!(status.success(), "the load test failed");
    Ok(())
}

/// A gateway that runs already.
struct Running {
    url: String,
    /// An operator's token.
    token: String,
    /// The processes of a local stack, whose memory is sampled.
    pids: Vec<u32>,
}

/// The gateway to use. `None`: a stack of the load's own.
fn target(arguments: &Arguments) -> Result<Option<Running>> {
    if let Some(folder) = &arguments.state {
        let access = Access::read(&State::new(folder)?)
            .context("no stack runs there: start it with `cargo xtask dev`")?;
        let url = access.base_url.trim_end_matches("/v1").to_owned();
        let token = access.admin_token;
        return Ok(Some(Running {
            url,
            token: token.context("the stack has no admin token")?,
            pids: access.pids,
        }));
    }
    let Some(url) = &arguments.url else {
        return Ok(None);
    };
    let token = match &arguments.token_file {
        Some(path) => {
            fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?
        }
        None => std::env::var("CLAWLESS_ADMIN_TOKEN").unwrap_or_default(),
    };
    let token = token.trim().to_owned();
    ensure!(
        !token.is_empty(),
        "an operator's token is missing: set CLAWLESS_ADMIN_TOKEN, or pass --token-file"
    );
    Ok(Some(Running {
        url: url.clone(),
        token,
        pids: Vec::new(),
    }))
}

/// Builds the bundles and the program that seeds a tenant.
fn prepare_own(
    layout: &Layout,
    arguments: &Arguments,
    command: &mut Command,
    progress: &Progress,
) -> Result<()> {
    if !arguments.no_build {
        let _lock = BuildLock::acquire(layout, progress)?;
        rust::wasm_target_ready(progress)?;
        let tools = BuildTools::ready(layout, progress)?;
        bundle::build_all(layout, &tools, Profile::Release, progress)?;
    }
    let mut seed = rust::cargo();
    seed.args(["build", "--package", "clawless-seed"])
        .current_dir(layout.root());
    run_logged(&mut seed, &layout.at(".clawless/logs/build-seed.log"), None)?;
    let program = layout.target().join("debug/clawless-seed");
    command.env("CLAWLESS_SEED", program);
    Ok(())
}

/// A duration such as `90s`, `10m` or `1h`, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let found = units.into_iter().find_map(|(unit, seconds)| {
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(seconds).filter(|seconds| *seconds > 0)
    });
    found.ok_or_else(|| "expected a number and s, m or h, such as 10m".to_owned())
}

/// A number of seconds from 0 to 3600.
fn think_time(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok();
    found
        .filter(|seconds| (0.0..=3600.0).contains(seconds))
        .ok_or_else(|| "expected a number of seconds from 0 to 3600".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_are_not_empty() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("1h"), Ok(3600));
        for other in ["", "10", "0s", "-1m", "1.5h", "1d"] {
            assert!(seconds(other).is_err(), "{other}");
        }
    }

    #[test]
    fn think_times_are_finite() {
        assert_eq!(think_time("0.5"), Ok(0.5));
        for other in ["-1", "NaN", "inf", "3601", "5s"] {
            assert!(think_time(other).is_err(), "{other}");
        }
    }
}
