//! The processes of one stack: one process group, of which either all run or none.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::stack::identity::{Identity, signal_group};

/// How long a stack may take to end when asked.
const GRACE: Duration = Duration::from_secs(6);

/// The children of this program, all in the process group of the first.
#[derive(Default)]
pub(crate) struct Group {
    members: Vec<Member>,
}

/// One of them.
struct Member {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// A member that ended though nobody asked it to.
pub(crate) struct Ended {
    /// Its name.
    pub(crate) name: &'static str,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it printed.
    pub(crate) log: PathBuf,
}

impl Group {
    /// Starts a program in the group, with its output in the file `log`.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
        log: &Path,
    ) -> Result<()> {
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("can't make the folder {}", folder.display()))?;
        }
        let output = File::create(log).with_context(|| format!("can't write {}", log.display()))?;
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

    /// The number of the group.
    pub(crate) fn leader(&self) -> Option<u32> {
        self.members.first().map(|member| member.child.id())
    }

    /// The members that we started ourselves.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        self.members
            .iter()
            .filter_map(|member| Identity::of(member.child.id()))
            .collect()
    }

    /// The first member that has ended, if any has.
    pub(crate) fn ended(&mut self) -> Option<Ended> {
        self.members.iter_mut().find_map(|member| {
            let status = member.child.try_wait().ok().flatten()?;
            Some(Ended {
                name: member.name,
                status,
                log: member.log.clone(),
            })
        })
    }

    /// Ends all of them: asks first, then forces.
    pub(crate) fn stop(&mut self) {
        let Some(leader) = self.leader() else { return };
        signal_group(leader, Signal::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while self.any_running() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        // Children of theirs may have outlived them.
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
    /// Whatever goes wrong, nothing stays behind.
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_members_and_their_children_end_together() {
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
        assert!(members.len() == 2 && child.is_alive() && group.ended().is_none());
        group.stop();
        thread::sleep(Duration::from_millis(100));
        assert!(!child.is_alive() && !members.iter().any(Identity::is_alive));
        std::fs::remove_file(log.with_extension("two")).unwrap();
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn member_that_ends_by_itself_is_reported() {
        let log = std::env::temp_dir().join(format!("clawless-ended-{}", std::process::id()));
        let mut group = Group::default();
        group
            .start("short", Command::new("sh").args(["-c", "exit 7"]), &log)
            .unwrap();
        let ended = loop {
            if let Some(ended) = group.ended() {
                break ended;
            }
        };
        assert_eq!((ended.name, ended.status.code()), ("short", Some(7)));
        std::fs::remove_file(log).unwrap();
    }
}
