//! Running other programs to their end, with their output in a log and its tail in the error.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::progress::Task;

/// How many lines of a failed program's output an error shows.
const TAIL_LINES: usize = 30;

/// The program's name, for messages.
fn name_of(command: &Command) -> String {
    Path::new(command.get_program())
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Runs a program and returns what it printed.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let name = name_of(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can't start {name}: is it installed?"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{name} failed ({}):\n{}{}",
            output.status,
            tail(&text),
            tail(&errors)
        );
    }
    Ok(text)
}

/// The programs that `run_logged` waits for.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Asks all programs that [`run_logged`] waits for to end: what they make is of no use any more.
pub(crate) fn abandon_all() {
    let running = RUNNING
        .lock()
        .map(|running| running.clone())
        .unwrap_or_default();
    for pid in running {
        // One may have ended just now.
        let _ = kill(pid, Signal::SIGTERM);
    }
}

/// Notes a program as running until the value is dropped.
pub(crate) struct Noted(Option<Pid>);

impl Noted {
    /// Notes `child`.
    pub(crate) fn new(child: &Child) -> Self {
        let pid = i32::try_from(child.id()).ok().map(Pid::from_raw);
        if let (Some(pid), Ok(mut running)) = (pid, RUNNING.lock()) {
            running.push(pid);
        }
        Self(pid)
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Ok(mut running) = RUNNING.lock() {
            running.retain(|pid| Some(*pid) != self.0);
        }
    }
}

/// Runs a program with its output in the file `log`, the newest line behind the task's title.
pub(crate) fn run_logged(command: &mut Command, log: &Path, task: Option<&Task>) -> Result<()> {
    let name = name_of(command);
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
    }
    let file = File::create(log).with_context(|| format!("can't write {}", log.display()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {name}: is it installed?"))?;
    let noted = Noted::new(&child);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let file = Mutex::new(file);
    thread::scope(|scope| {
        if let Some(out) = out {
            scope.spawn(|| follow(out, &file, task));
        }
        if let Some(err) = err {
            scope.spawn(|| follow(err, &file, task));
        }
    });
    // From here on its number may become another's.
    drop(noted);
    let status = child.wait().with_context(|| format!("lost {name}"))?;
    if !status.success() {
        let text = fs::read_to_string(log).unwrap_or_default();
        bail!(
            "{name} failed ({status}); all of it is in {}:\n{}",
            log.display(),
            tail(&text)
        );
    }
    Ok(())
}

/// Copies lines from a program to its log until it closes the pipe.
fn follow(from: impl Read, file: &Mutex<File>, task: Option<&Task>) {
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        if let Ok(mut file) = file.lock() {
            // What can't be logged is still seen in the program's status.
            let _ = file.write_all(&line);
        }
        if let Some(task) = task {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !text.is_empty() {
                task.say(text);
            }
        }
        line.clear();
    }
}

/// The last lines of a text, each indented.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines
        .get(lines.len().saturating_sub(TAIL_LINES)..)
        .unwrap_or_default();
    shown
        .iter()
        .fold(String::new(), |all, line| all + "    " + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_shows_only_the_last_lines() {
        let text = (0..100).fold(String::new(), |all, line| format!("{all}line {line}\n"));
        let shown = tail(&text);
        assert!(shown.starts_with("    line 70\n") && shown.ends_with("    line 99\n"));
    }

    #[test]
    fn failure_carries_the_output_of_the_program() {
        let error = capture(Command::new("sh").args(["-c", "echo gone >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }
}
