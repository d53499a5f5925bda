//! Starting a stack that outlives the command.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::stack::state::State;

use super::Arguments;

/// Starts this program again, in a process group of its own, and shows what it prints until the stack
/// is ready or the start has failed.
pub(super) fn start(arguments: &Arguments, state: &State) -> Result<()> {
    let log = state.log("dev");
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
    }
    // The greeting holds the demo key.
    let mut private = OpenOptions::new();
    private.create(true).write(true).truncate(true).mode(0o600);
    let output = private
        .open(&log)
        .with_context(|| format!("can't write {}", log.display()))?;
    let mut again =
        Command::new(env::current_exe().context("this program does not know its own path")?);
    again
        .args(without_key(env::args_os().skip(1)))
        .arg("--supervise");
    if let Some(key) = &arguments.upstream_key {
        again.env("CLAWLESS_UPSTREAM_KEY", key);
    }
    let mut child = again
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .context("can't start the process that stays")?;
    let mut shown = File::open(&log).with_context(|| format!("can't read {}", log.display()))?;
    let mut position = 0;
    loop {
        // Looked at before the log is shown, so that the greeting is in what is shown.
        let over = is_over(&mut child, state)?;
        position = show(&mut shown, position);
        match over {
            Some(true) => return Ok(()),
            Some(false) => bail!("the start failed: see above, or {}", log.display()),
            None => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The command line without the upstream's key: everybody on the machine can read that of a process.
fn without_key(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--upstream-key" {
            // The next one is the key.
            arguments.next();
        } else if !text.starts_with("--upstream-key=") {
            kept.push(argument);
        }
    }
    kept
}

/// Whether the start has succeeded or failed, once it has done either.
fn is_over(child: &mut Child, state: &State) -> Result<Option<bool>> {
    if child
        .try_wait()
        .context("lost the process that stays")?
        .is_some()
    {
        return Ok(Some(false));
    }
    if state.dev_json().is_file() {
        // The greeting is printed right after the record is written.
        thread::sleep(Duration::from_millis(150));
        return Ok(Some(true));
    }
    Ok(None)
}

/// Copies what was added to the log; what can't be shown is still in the file.
fn show(log: &mut File, position: u64) -> u64 {
    let mut text = Vec::new();
    if log.seek(SeekFrom::Start(position)).is_ok() && log.read_to_end(&mut text).is_ok() {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&text).and_then(|()| out.flush());
    }
    position + text.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_left_out_of_the_command_line_however_it_was_given() {
        let kept = |line: &str| without_key(line.split(' ').map(OsString::from)).join(" ".as_ref());
        for line in [
            "dev --upstream u --upstream-key k --detach",
            "dev --upstream u --upstream-key=k --detach",
        ] {
            assert_eq!(kept(line), "dev --upstream u --detach");
        }
    }
}
