//! `cargo xtask dev`: the whole of Clawless on this machine.

mod detached;

use std::{
    path::PathBuf,
    sync::mpsc::Receiver,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::{SignalsInfo, exfiltrator::SignalOnly},
};

use crate::{
    bundle::Profile,
    layout::{Layout, WORKERS},
    model,
    process::tail,
    progress::Progress,
    stack::{
        config, greeting,
        group::Group,
        identity::Identity,
        preparation::{self, Plan, Prepared},
        provider::Provider,
        ready,
        record::{self, Access, Processes},
        state::State,
        watch::{self, Rebuild, Sources},
    },
    tools::npm,
};

/// How long the Workers may take until the gateway answers.
const STARTING: Duration = Duration::from_secs(90);

/// How often a running stack is looked at.
const PULSE: Duration = Duration::from_millis(150);

/// What `--help` says after the switches.
const MORE: &str = "\
Stopping: Ctrl-C stops all that was started; after --detach, `cargo xtask down` does.

While it runs, a change to crates/, workers/, wrangler/, migrations/ or the root's Cargo files is built
and goes live. A build that fails leaves the version from before running.

What was stored survives a restart, keys included; --fresh begins anew.

Programs find the stack in .clawless/dev.json (or DIR/dev.json), which is there exactly while it is ready:
base_url, admin_url, admin_token, secret_key, public_key, demo_url, model, pids. Logs are in .clawless/logs/.

Environment:
  CLAWLESS_LOCAL_MODEL   a file with the local model's weights, instead of fetching them
  CLAWLESS_TEST_MODEL    the same for --model small
  CLAWLESS_UPSTREAM_KEY  as --upstream-key, but kept out of the shell's history
  CLAWLESS_CACHE         where tools and models are kept for all checkouts [default: ~/.cache/clawless]

docs/deployment.md tells more.";

/// How to run it.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Arguments {
    /// Forget what was stored, the demo keys too
    #[arg(long)]
    fresh: bool,
    /// Return once everything is ready; `cargo xtask down` stops it
    #[arg(long)]
    detach: bool,
    /// Send all model traffic to this OpenAI-compatible server and start no local model
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The key for that server
    #[arg(
        long,
        value_name = "KEY",
        requires = "upstream",
        env = "CLAWLESS_UPSTREAM_KEY",
        hide_env_values = true
    )]
    upstream_key: Option<String>,
    /// The port of the gateway; 0 takes any that is free [default: 8787]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Run the optimised build that would be deployed
    #[arg(long)]
    release: bool,
    /// Keep the state in this folder, so that two stacks can run side by side [default: .clawless]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The local model
    #[arg(long, value_enum, default_value_t = Choice::Default, conflicts_with = "upstream")]
    model: Choice,
    /// Be the process that a detached start leaves behind.
    #[arg(long, hide = true)]
    supervise: bool,
}

/// The local models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// Qwen2.5-Coder-0.5B-Instruct
    Default,
    /// SmolLM2-135M-Instruct: quick, and often wrong
    Small,
}

/// Starts a stack and watches over it, or leaves that to a process of its own.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let state = State::new(
        &arguments
            .state
            .clone()
            .unwrap_or_else(|| layout.default_state()),
    )?;
    if let Some(running) = Processes::read(&state).filter(Processes::any_alive)
        && running.supervisor.pid != std::process::id()
    {
        bail!(
            "a stack with this state already runs on port {}: stop it with `{}`, or choose another --state",
            running.port,
            down_command(arguments)
        );
    }
    record::forget(&state);
    if arguments.detach && !arguments.supervise {
        return detached::start(arguments, &state);
    }
    // Taken before the long work begins, to learn of a taken port at once.
    let port = ready::free_port(arguments.port)?;
    supervise(layout, arguments, &state, port, progress)
}

fn down_command(arguments: &Arguments) -> String {
    match &arguments.state {
        Some(folder) => format!("cargo xtask down --state {}", folder.display()),
        None => "cargo xtask down".to_owned(),
    }
}

/// 1. Prepares. 2. Starts the model, then the Workers. 3. Records that all is ready. 4. Watches until
///    a signal comes or something ends. Whatever happens, nothing that was started stays behind.
fn supervise(
    layout: &Layout,
    arguments: &Arguments,
    state: &State,
    port: u16,
    progress: &Progress,
) -> Result<()> {
    let begun = Instant::now();
    let me = Identity::of(std::process::id())
        .context("this system does not tell when a process began")?;
    let mut processes = Processes {
        supervisor: me,
        leads_group: arguments.supervise,
        port,
        group: None,
        members: Vec::new(),
    };
    processes.write(state)?;
    let mut group = Group::default();
    let outcome = (|| {
        if arguments.fresh {
            state.wipe()?;
        }
        // An upstream that does not answer should be known before anything is built for it.
        let upstream = arguments
            .upstream
            .as_deref()
            .map(|url| Provider::upstream(url, arguments.upstream_key.clone()));
        let upstream = upstream.transpose()?;
        let plan = plan(arguments);
        let prepared = preparation::prepare(layout, state, plan, progress)?;
        let mut signals = SignalsInfo::<SignalOnly>::new([SIGINT, SIGTERM, SIGHUP])
            .context("can't listen for signals")?;
        let provider = match (upstream, &prepared.model) {
            (Some(provider), _) => {
                progress.line(format!(
                    "  ✓ {} with {} models",
                    provider.base_url(),
                    provider.offered()
                ));
                provider
            }
            (None, Some(model)) => {
                let task = progress.task(format!("loading {}", model.model.title));
                let provider = model.start(&mut group, &state.log("model"))?;
                task.done();
                provider
            }
            (None, None) => bail!("neither a model nor an upstream: this is a fault of xtask"),
        };
        start_workers(
            layout, state, &prepared, &provider, port, &mut group, progress,
        )?;
        processes.group = group.leader();
        processes.members = group.identities();
        processes.write(state)?;
        let access = access(port, &prepared, &provider, &processes);
        access.write(state)?;
        println!("{}", greeting::text(&access, state));
        println!(
            "\nReady after {:.1} s. {}",
            begun.elapsed().as_secs_f64(),
            if arguments.supervise {
                format!("Stop it with `{}`.", down_command(arguments))
            } else {
                "Ctrl-C stops all of it.".to_owned()
            }
        );
        let rebuild = Rebuild {
            layout: layout.clone(),
            state: state.clone(),
            tools: prepared.tools,
            profile: plan.profile,
            provider,
            progress: progress.clone(),
        };
        watch_over(layout, &mut group, &rebuild, &mut signals)
    })();
    group.stop();
    record::forget(state);
    if outcome.is_ok() {
        progress.line("Stopped.");
    }
    outcome
}

fn plan(arguments: &Arguments) -> Plan {
    let model = match (&arguments.upstream, arguments.model) {
        (Some(_), _) => None,
        (None, Choice::Default) => Some(&model::DEFAULT),
        (None, Choice::Small) => Some(&model::SMALL),
    };
    Plan {
        profile: if arguments.release {
            Profile::Release
        } else {
            Profile::Development
        },
        model,
    }
}

/// Runs all Workers in one `wrangler dev` and waits until the gateway answers.
fn start_workers(
    layout: &Layout,
    state: &State,
    prepared: &Prepared,
    provider: &Provider,
    port: u16,
    group: &mut Group,
    progress: &Progress,
) -> Result<()> {
    let task = progress.task("starting the Workers");
    watch::publish(&prepared.bundles, state)?;
    config::write_all(layout, state, provider)?;
    let mut command = npm::wrangler(layout, state.root())?;
    command.arg("dev");
    for worker in WORKERS {
        command.arg("--config").arg(state.config(worker));
    }
    command
        .args([
            "--ip",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--inspector-port",
            "0",
            "--show-interactive-dev-session=false",
        ])
        .arg("--persist-to")
        .arg(state.storage());
    group.start("wrangler dev", &mut command, &state.log("workers"))?;
    let health = format!("http://127.0.0.1:{port}/health");
    ready::wait(
        STARTING,
        || ready::status_of(&health) == Some(200),
        || all_run(group),
    )
    .with_context(|| {
        format!(
            "the gateway does not answer at {health}; the Workers' log is {}",
            state.log("workers").display()
        )
    })?;
    task.done();
    Ok(())
}

fn all_run(group: &mut Group) -> Result<()> {
    match group.ended() {
        None => Ok(()),
        Some(ended) => {
            let printed = std::fs::read_to_string(&ended.log).unwrap_or_default();
            bail!(
                "{} ended by itself ({}), so everything is stopped. Its last words:\n{}",
                ended.name,
                ended.status,
                tail(&printed)
            )
        }
    }
}

fn access(port: u16, prepared: &Prepared, provider: &Provider, processes: &Processes) -> Access {
    let origin = format!("http://127.0.0.1:{port}");
    let keys = &prepared.keys;
    let members = processes.members.iter().map(|member| member.pid);
    Access {
        base_url: format!("{origin}/v1"),
        admin_url: keys.admin_token.as_ref().map(|_| format!("{origin}/admin")),
        admin_token: keys.admin_token.clone(),
        secret_key: keys.secret_key.clone(),
        public_key: keys.public_key.clone(),
        demo_url: keys.public_key.as_ref().map(|_| format!("{origin}/demo")),
        model: provider.first_model().to_owned(),
        pids: std::iter::once(processes.supervisor.pid)
            .chain(members)
            .collect(),
    }
}

/// Until a signal comes: rebuilds on change, and ends all when one ends.
fn watch_over(
    layout: &Layout,
    group: &mut Group,
    rebuild: &Rebuild,
    signals: &mut SignalsInfo<SignalOnly>,
) -> Result<()> {
    let sources = Sources::watch(layout)?;
    let mut running: Option<Receiver<()>> = None;
    loop {
        if signals.pending().next().is_some() {
            return Ok(());
        }
        all_run(group)?;
        if running.as_ref().is_some_and(|over| over.try_recv().is_ok()) {
            running = None;
        }
        if running.is_none() && sources.changed() {
            running = Some(rebuild.start());
        }
        thread::sleep(PULSE);
    }
}
