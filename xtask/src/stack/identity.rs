//! Process identity: distinguishes a started process from a later one with the same pid.

use std::{fs, process::Command};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::process::capture;

/// A process by pid and start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The pid.
    pub(crate) pid: u32,
    /// Its start time, in a form that depends on the system.
    #[serde(rename = "began")]
    started: String,
}

impl Identity {
    /// The identity of a running process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            started: start_time(pid)?,
        })
    }

    /// Whether this process is running.
    pub(crate) fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|now| now == self.started)
    }

    /// Sends a signal. Returns whether the process was running.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.is_alive() && to_pid(self.pid).is_some_and(|pid| kill(pid, signal).is_ok())
    }
}

/// Sends a signal to all members of a process group. Returns whether it had any.
pub(crate) fn signal_group(leader: u32, signal: impl Into<Option<Signal>>) -> bool {
    to_pid(leader).is_some_and(|group| killpg(group, signal).is_ok())
}

fn to_pid(pid: u32) -> Option<Pid> {
    // 0 and 1 address this program's own group and all processes.
    i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 1)
        .map(Pid::from_raw)
}

/// The start time: from `/proc` on Linux, elsewhere from `ps`. None for zombie processes.
fn start_time(pid: u32) -> Option<String> {
    if !cfg!(target_os = "linux") {
        let output =
            capture(Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()])).ok()?;
        return Some(output.trim().to_owned()).filter(|time| !time.is_empty());
    }
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold anything.
    let (_, after_name) = status.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    fields.get(19).map(|&time| time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_is_alive_until_it_exits() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());
        assert!(identity.signal(Signal::SIGKILL));
        child.wait().unwrap();
        assert!(!identity.is_alive() && !identity.signal(Signal::SIGKILL));
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_alive() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let other = Identity {
            pid: child.id(),
            started: "long ago".to_owned(),
        };
        assert!(!other.is_alive() && !other.signal(Signal::SIGTERM));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn pids_that_address_all_processes_are_never_signalled() {
        assert!(!signal_group(0, None) && !signal_group(1, None) && !signal_group(u32::MAX, None));
    }
}
