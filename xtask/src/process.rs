//! Child processes: output goes to a log, and its last lines into the error.

use std::{
    fs::{self, File},
    io::{BufReader, Read, Write},
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

use crate::{private, progress::Task};

/// Lines of a failed program's output in an error.
const MAX_TAIL_LINES: usize = 30;

/// The program's name, for messages.
fn name_of(command: &Command) -> String {
    Path::new(command.get_program())
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Runs a program and returns its standard output.
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

/// The running programs of [`run_logged`].
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Terminates all programs of [`run_logged`], after another part of the same command failed.
pub(crate) fn terminate_all() {
    let running = RUNNING
        .lock()
        .map(|running| running.clone())
        .unwrap_or_default();
    for pid in running {
        // It may have exited in the meantime.
        let _ = kill(pid, Signal::SIGTERM);
    }
}

/// Registers a program as running until the value is dropped.
pub(crate) struct Registration(Option<Pid>);

impl Registration {
    /// Registers `child`.
    pub(crate) fn new(child: &Child) -> Self {
        let pid = i32::try_from(child.id()).ok().map(Pid::from_raw);
        if let (Some(pid), Ok(mut running)) = (pid, RUNNING.lock()) {
            running.push(pid);
        }
        Self(pid)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Ok(mut running) = RUNNING.lock() {
            running.retain(|pid| Some(*pid) != self.0);
        }
    }
}

/// Runs a program with its output in the file `log`. The task shows the last line, and Cargo's progress
/// if the program is Cargo or calls it.
pub(crate) fn run_logged(command: &mut Command, log: &Path, task: Option<&Task>) -> Result<()> {
    let name = name_of(command);
    let file = private::create_file(log)?;
    // By default Cargo reports progress on terminals only.
    let mut child = command
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "80")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {name}: is it installed?"))?;
    let registration = Registration::new(&child);
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
    // After `wait` the system may reuse its pid.
    drop(registration);
    let status = child.wait().with_context(|| format!("lost {name}"))?;
    if !status.success() {
        let text = fs::read_to_string(log).unwrap_or_default();
        bail!(
            "{name} failed ({status}); the whole output is in {}:\n{}",
            log.display(),
            tail(&text)
        );
    }
    Ok(())
}

/// Copies lines from a program to its log until it closes the pipe. Cargo's progress goes to the task only.
fn follow(from: impl Read, file: &Mutex<File>, task: Option<&Task>) {
    let mut bytes = BufReader::new(from).bytes();
    let mut line = Vec::new();
    loop {
        let byte = bytes.next().and_then(Result::ok);
        // Cargo overwrites its progress line.
        if let Some(byte) = byte
            && byte != b'\n'
            && byte != b'\r'
        {
            line.push(byte);
            continue;
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        let progress = cargo_progress(&text);
        if let (Some(file), None) = (file.lock().ok().as_mut(), progress)
            && !(line.is_empty() && byte.is_none())
        {
            line.push(b'\n');
            // Best effort: a failure of the program still shows in its status.
            let _ = file.write_all(&line);
        }
        match (task, progress) {
            (Some(task), Some((done, total))) => task.count(done, total),
            (Some(task), None) if !text.is_empty() => task.message(text),
            _ => {}
        }
        if byte.is_none() {
            return;
        }
        line.clear();
    }
}

/// Units built and total units, from a line of Cargo such as
/// `Building [=====>     ] 12/134: serde, syn`.
fn cargo_progress(line: &str) -> Option<(u64, u64)> {
    let (_, after) = line.strip_prefix("Building [")?.split_once("] ")?;
    let (numbers, _) = after.split_once(':').unwrap_or((after, ""));
    let (done, total) = numbers.split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

/// The last lines of a text, each indented.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines
        .get(lines.len().saturating_sub(MAX_TAIL_LINES)..)
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
    fn cargo_progress_is_parsed_and_not_logged() {
        assert_eq!(
            cargo_progress("Building [=====>     ] 12/134: serde, syn"),
            Some((12, 134))
        );
        assert_eq!(cargo_progress("Compiling serde v1.0.0"), None);
        let log = std::env::temp_dir().join(format!("clawless-follow-{}", std::process::id()));
        let output =
            "   Compiling a\n    Building [> ] 0/2: a\r    Building [=>] 1/2: b\r   Done\n\nend";
        run_logged(Command::new("printf").args(["%s", output]), &log, None).unwrap();
        let logged = fs::read_to_string(&log).unwrap();
        assert_eq!(logged, "   Compiling a\n   Done\n\nend\n");
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn error_contains_the_output_of_the_program() {
        let error =
            capture(Command::new("sh").args(["-c", "echo reason >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("reason"), "{error}");
    }
}
