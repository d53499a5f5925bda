//! `cargo xtask down`: ends what `cargo xtask dev` started, and nothing else.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Args;
use nix::sys::signal::Signal;

use crate::{
    layout::Layout,
    progress::Progress,
    stack::{
        identity::{Identity, signal_group},
        record::{self, Processes},
        state::State,
    },
};

/// How long a stack may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Which stack to stop.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder that the stack was started with [default: .clawless]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Asks the supervisor to end the stack; if it is gone or does not, ends the stack's process group.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let state = State::new(
        &arguments
            .state
            .clone()
            .unwrap_or_else(|| layout.default_state()),
    )?;
    let Some(processes) = Processes::read(&state).filter(Processes::any_alive) else {
        record::forget(&state);
        progress.line(format!(
            "Nothing runs with the state in {}.",
            state.root().display()
        ));
        return Ok(());
    };
    if processes.supervisor.signal(Signal::SIGTERM) {
        if processes.leads_group {
            // What it is building with, if it is still at that.
            signal_group(processes.supervisor.pid, Signal::SIGTERM);
        }
        let deadline = Instant::now() + GRACE;
        while processes.any_alive() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
    }
    if processes.any_alive() {
        force(&processes);
    }
    if processes.any_alive() {
        bail!(
            "some of the processes {:?} did not end: you may have to end them by hand",
            processes.members
        );
    }
    record::forget(&state);
    progress.line("Stopped.");
    Ok(())
}

fn force(processes: &Processes) {
    // The group's number is still ours as long as a member that we know of is in it.
    if let Some(group) = processes.group
        && processes.members.iter().any(Identity::is_alive)
    {
        signal_group(group, Signal::SIGTERM);
        thread::sleep(Duration::from_secs(2));
        signal_group(group, Signal::SIGKILL);
    }
    processes.supervisor.signal(Signal::SIGKILL);
    thread::sleep(Duration::from_millis(200));
}
