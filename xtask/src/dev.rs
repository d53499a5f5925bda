//! `cargo xtask dev`: a local stack with the model, the Workers and the database.

mod arguments;
mod detached;

use std::{
    sync::mpsc::Receiver,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::{SignalsInfo, exfiltrator::SignalOnly},
};

pub(crate) use self::arguments::Arguments;
use self::arguments::ModelChoice;
use crate::{
    bundle::Profile,
    layout::Layout,
    model,
    progress::Progress,
    stack::{
        config, greeting,
        group::Group,
        identity::Identity,
        preparation::{self, Plan, Prepared},
        provider::Provider,
        ready,
        record::{self, Access, Processes},
        runtime::Runtime,
        state::State,
        watch::{self, Rebuild, Sources},
    },
};

/// Interval of the checks of a running stack.
const CHECK_INTERVAL: Duration = Duration::from_millis(150);

/// Starts a stack and supervises it, in this process or in a detached one.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let state = State::new(
        &arguments
            .state
            .clone()
            .unwrap_or_else(|| layout.default_state()),
    )?;
    state.protect()?;
    if let Some(running) = Processes::read(&state).filter(Processes::any_alive)
        && running.supervisor.pid != std::process::id()
    {
        bail!(
            "a stack with this state folder already runs on port {}: stop it with `{}`, or choose another --state",
            running.port,
            arguments.down_command()
        );
    }
    record::remove(&state);
    if arguments.detach && !arguments.supervise {
        return detached::start(arguments, &state);
    }
    // Checked before the build, so that a port in use fails at once.
    let port = ready::free_port(arguments.port)?;
    supervise(layout, arguments, &state, port, progress)
}

/// 1. Prepares the stack. 2. Starts the model, then the Workers. 3. Records that the stack is ready.
/// 4. Supervises until a signal or until a process exits. All started processes are stopped on every path.
fn supervise(
    layout: &Layout,
    arguments: &Arguments,
    state: &State,
    port: u16,
    progress: &Progress,
) -> Result<()> {
    let started = Instant::now();
    let supervisor = Identity::of(std::process::id())
        .context("this system does not report start times of processes")?;
    let mut processes = Processes {
        supervisor,
        leads_group: arguments.supervise,
        port,
        group: None,
        members: Vec::new(),
    };
    processes.write(state)?;
    let mut group = Group::default();
    let result = (|| {
        if arguments.fresh {
            state.wipe()?;
        }
        // Before the build, so that an unreachable upstream fails at once.
        let upstream = arguments
            .upstream
            .as_deref()
            .map(|url| Provider::upstream(url, arguments.upstream_key.clone()));
        let upstream = upstream.transpose()?;
        let plan = plan(arguments, port);
        let prepared = preparation::prepare(layout, state, plan, progress)?;
        let mut signals = SignalsInfo::<SignalOnly>::new([SIGINT, SIGTERM, SIGHUP])
            .context("can't listen for signals")?;
        let provider = match upstream {
            Some(provider) => {
                let (url, models) = (provider.base_url(), provider.offered());
                progress.line(format!("  ✓ {url} with {models} models"));
                provider
            }
            None => start_model(state, &prepared, &mut group, progress)?,
        };
        let runtime = Runtime {
            port,
            inspector_port: arguments.inspect,
        };
        let task = progress.task("starting the Workers");
        watch::publish(&prepared.bundles, state)?;
        config::write_all(layout, state, &provider)?;
        runtime.start(layout, state, &mut group)?;
        task.done();
        processes.group = group.leader();
        processes.members = group.identities();
        processes.write(state)?;
        let access = access(port, &prepared, &provider, &processes);
        access.write(state)?;
        let seconds = started.elapsed().as_secs_f64();
        progress.line(format!("Ready after {seconds:.1} s."));
        if !arguments.supervise && !arguments.quiet {
            println!(
                "{}",
                greeting::text(&access, state, &arguments.how_to_stop())
            );
        }
        let rebuild = Rebuild {
            layout: layout.clone(),
            state: state.clone(),
            tools: prepared.tools,
            profile: plan.profile,
            provider,
            progress: progress.clone(),
        };
        supervise_until_signal(layout, &mut group, &rebuild, &mut signals)
    })();
    group.stop();
    record::remove(state);
    if result.is_ok() {
        progress.line("Stopped.");
    }
    result
}

fn plan(arguments: &Arguments, port: u16) -> Plan {
    let model = match (&arguments.upstream, arguments.model) {
        (Some(_), _) => None,
        (None, ModelChoice::Default) => Some(&model::DEFAULT),
        (None, ModelChoice::Small) => Some(&model::SMALL),
    };
    Plan {
        profile: if arguments.release {
            Profile::Release
        } else {
            Profile::Development
        },
        model,
        port,
    }
}

/// Starts the local model's server.
fn start_model(
    state: &State,
    prepared: &Prepared,
    group: &mut Group,
    progress: &Progress,
) -> Result<Provider> {
    let model = prepared
        .model
        .as_ref()
        .context("neither a model nor an upstream: this is a bug in xtask")?;
    let task = progress.task(format!("loading {}", model.model.title));
    let provider = model.start(group, &state.log("model"))?;
    task.done();
    Ok(provider)
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
        // The key is in the fragment, which browsers do not send.
        demo_url: keys
            .public_key
            .as_ref()
            .map(|key| format!("{origin}/demo#{key}")),
        model: provider.first_model().to_owned(),
        pids: std::iter::once(processes.supervisor.pid)
            .chain(members)
            .collect(),
    }
}

/// Rebuilds on changes until a signal arrives. A process that exits is an error.
fn supervise_until_signal(
    layout: &Layout,
    group: &mut Group,
    rebuild: &Rebuild,
    signals: &mut SignalsInfo<SignalOnly>,
) -> Result<()> {
    let sources = Sources::watch(layout)?;
    let mut build: Option<Receiver<()>> = None;
    loop {
        if signals.pending().next().is_some() {
            return Ok(());
        }
        group.check_running()?;
        if build.as_ref().is_some_and(|done| done.try_recv().is_ok()) {
            build = None;
        }
        if build.is_none() && sources.changed() {
            build = Some(rebuild.start());
        }
        thread::sleep(CHECK_INTERVAL);
    }
}
