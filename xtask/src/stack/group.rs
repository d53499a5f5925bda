//! The processes of one stack, in one process group: they start and stop together.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::{
    private,
    process::tail,
    stack::identity::{Identity, signal_group},
    wait,
};

/// Time for the processes to exit after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// Child processes, all in the process group of the first.
#[derive(Default)]
pub(crate) struct Group {
    members: Vec<Member>,
}

/// A process of the group.
struct Member {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// A member that exited unexpectedly.
struct Exited {
    name: &'static str,
    status: ExitStatus,
    log: PathBuf,
}

impl Group {
    /// Starts a program in the group, with its output in the file `log`.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
        log: &Path,
    ) -> Result<()> {
        let output = private::create_file(log)?;
        let leader = match self.leader() {
            Some(pid) => i32::try_from(pid).context("a process number too large")?,
            None => 0,
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(leader)
            .spawn()
            .with_context(|| format!("can't start {name}"))?;
        self.members.push(Member {
            name,
            child,
            log: log.to_path_buf(),
        });
        Ok(())
    }

    /// The id of the group.
    pub(crate) fn leader(&self) -> Option<u32> {
        self.members.first().map(|member| member.child.id())
    }

    /// The started processes.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        self.members
            .iter()
            .filter_map(|member| Identity::of(member.child.id()))
            .collect()
    }

    /// Fails if a member has exited. The error names it, its log and its last output.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        let Some(Exited { name, status, log }) = self.exited() else {
            return Ok(());
        };
        let output = fs::read_to_string(&log).unwrap_or_default();
        bail!(
            "{name} exited unexpectedly ({status}), so the stack is stopped. Its log is {}:\n{}",
            log.display(),
            tail(&output)
        )
    }

    /// The first member that has exited, if any.
    fn exited(&mut self) -> Option<Exited> {
        self.members.iter_mut().find_map(|member| {
            let status = member.child.try_wait().ok().flatten()?;
            Some(Exited {
                name: member.name,
                status,
                log: member.log.clone(),
            })
        })
    }

    /// Stops all processes: SIGTERM, then SIGKILL.
    pub(crate) fn stop(&mut self) {
        let Some(leader) = self.leader() else { return };
        signal_group(leader, Signal::SIGTERM);
        wait::until(STOP_TIMEOUT, || !self.any_running());
        // Grandchildren may still run.
        signal_group(leader, Signal::SIGKILL);
        for member in &mut self.members {
            let _ = member.child.wait();
        }
        self.members.clear();
    }

    fn any_running(&mut self) -> bool {
        self.members
            .iter_mut()
            .any(|member| matches!(member.child.try_wait(), Ok(None)))
    }
}

impl Drop for Group {
    /// No process outlives the value, even after an error.
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_members_and_their_children_stop_together() {
        let log = std::env::temp_dir().join(format!("clawless-group-{}", std::process::id()));
        let mut group = Group::default();
        let parent = ["-c", "sleep 100 & echo $!; wait"];
        group
            .start("one", Command::new("sh").args(parent), &log)
            .unwrap();
        group
            .start(
                "two",
                Command::new("sleep").arg("100"),
                &log.with_extension("two"),
            )
            .unwrap();
        let child = loop {
            if let Ok(pid) = std::fs::read_to_string(&log).unwrap().trim().parse() {
                break Identity::of(pid).unwrap();
            }
        };
        let members = group.identities();
        assert!(members.len() == 2 && child.is_alive() && group.exited().is_none());
        group.stop();
        let is_running = |member: &Identity| member.is_alive();
        assert!(wait::until(STOP_TIMEOUT, || !is_running(&child)
            && !members.iter().any(is_running)));
        std::fs::remove_file(log.with_extension("two")).unwrap();
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn member_that_exits_is_reported() {
        let log = std::env::temp_dir().join(format!("clawless-exited-{}", std::process::id()));
        let mut group = Group::default();
        group
            .start("short", Command::new("sh").args(["-c", "exit 7"]), &log)
            .unwrap();
        let exited = loop {
            if let Some(exited) = group.exited() {
                break exited;
            }
        };
        assert_eq!((exited.name, exited.status.code()), ("short", Some(7)));
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn killed_member_ends_the_stack_with_its_name_its_log_and_its_last_output() {
        let log = std::env::temp_dir().join(format!("clawless-killed-{}", std::process::id()));
        let mut group = Group::default();
        let mut server = Command::new("sh");
        server.args(["-c", "echo the last words; exec sleep 100"]);
        group.start("the model server", &mut server, &log).unwrap();
        assert!(wait::until(STOP_TIMEOUT, || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains("last words"))
        }));
        group.check_running().unwrap();
        let members = group.identities();
        assert!(members.first().unwrap().signal(Signal::SIGKILL));
        let message = loop {
            if let Err(error) = group.check_running() {
                break error.to_string();
            }
        };
        for part in [
            "the model server exited unexpectedly (signal: 9",
            &log.display().to_string(),
            "the last words",
        ] {
            assert!(message.contains(part), "{message}");
        }
        fs::remove_file(log).unwrap();
    }
}
