//! `cargo xtask down`: stops the processes that `cargo xtask dev` started.

use std::{path::PathBuf, thread, time::Duration};

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
    wait,
};

/// Time for a stack to stop before its processes are killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between SIGTERM and SIGKILL to the process group.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);

/// Arguments of `down`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// State folder of the stack [default: .clawless]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Signals the supervisor to stop the stack. If it is gone or does not stop, kills the process group.
pub(crate) fn run(layout: &Layout, arguments: &Arguments, progress: &Progress) -> Result<()> {
    let state = State::new(
        &arguments
            .state
            .clone()
            .unwrap_or_else(|| layout.default_state()),
    )?;
    let Some(processes) = Processes::read(&state).filter(Processes::any_alive) else {
        record::remove(&state);
        progress.line(format!(
            "No stack runs with the state in {}.",
            state.root().display()
        ));
        return Ok(());
    };
    if processes.supervisor.signal(Signal::SIGTERM) {
        if processes.leads_group {
            // The compilers of a running build.
            signal_group(processes.supervisor.pid, Signal::SIGTERM);
        }
        wait::until(STOP_TIMEOUT, || !processes.any_alive());
    }
    if processes.any_alive() {
        kill(&processes);
    }
    if processes.any_alive() {
        bail!(
            "some of the processes {:?} are still running: kill them manually",
            processes.members
        );
    }
    record::remove(&state);
    progress.line("Stopped.");
    Ok(())
}

fn kill(processes: &Processes) {
    // The group id is not reused while a known member is alive.
    if let Some(group) = processes.group
        && processes.members.iter().any(Identity::is_alive)
    {
        signal_group(group, Signal::SIGTERM);
        wait::until(KILL_TIMEOUT, || {
            !processes.members.iter().any(Identity::is_alive)
        });
        signal_group(group, Signal::SIGKILL);
    }
    processes.supervisor.signal(Signal::SIGKILL);
    thread::sleep(Duration::from_millis(200));
}
