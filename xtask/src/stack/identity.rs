//! Telling a process that we started from a later one that got its number.

use std::{fs, process::Command};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::process::capture;

/// A process by its number and the moment it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The process's number.
    pub(crate) pid: u32,
    /// When it began, in whatever form this system tells.
    began: String,
}

impl Identity {
    /// The identity of a running process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            began: began(pid)?,
        })
    }

    /// Whether that very process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        began(self.pid).is_some_and(|now| now == self.began)
    }

    /// Asks or forces the process to end. Says whether it was still there.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.is_alive() && number(self.pid).is_some_and(|pid| kill(pid, signal).is_ok())
    }
}

/// Sends a signal to every member of a process group. Says whether it had any.
pub(crate) fn signal_group(leader: u32, signal: impl Into<Option<Signal>>) -> bool {
    number(leader).is_some_and(|group| killpg(group, signal).is_ok())
}

fn number(pid: u32) -> Option<Pid> {
    // 0 and 1 would mean our own group and everything.
    i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 1)
        .map(Pid::from_raw)
}

/// The start time: a field of the kernel's on Linux, elsewhere what `ps` says. A process that ended
/// and was not collected yet does not count as running.
fn began(pid: u32) -> Option<String> {
    if !cfg!(target_os = "linux") {
        let said =
            capture(Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()])).ok()?;
        return Some(said.trim().to_owned()).filter(|said| !said.is_empty());
    }
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold anything.
    let (_, after_name) = status.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    fields.get(19).map(|&began| began.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_is_alive_until_it_ends() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());
        assert!(identity.signal(Signal::SIGKILL));
        child.wait().unwrap();
        assert!(!identity.is_alive() && !identity.signal(Signal::SIGKILL));
    }

    #[test]
    fn another_process_with_the_same_number_is_not_the_one() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let stranger = Identity {
            pid: child.id(),
            began: "long ago".to_owned(),
        };
        assert!(!stranger.is_alive() && !stranger.signal(Signal::SIGTERM));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn numbers_that_mean_everybody_are_never_signalled() {
        assert!(!signal_group(0, None) && !signal_group(1, None) && !signal_group(u32::MAX, None));
    }
}
