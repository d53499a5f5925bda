//! Starting a stack in a background process.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    private,
    stack::{greeting, record::Access, state::State},
};

use super::arguments::Arguments;

/// Starts this program again in its own process group, and copies its output until the stack is ready
/// or the start has failed.
pub(super) fn start(arguments: &Arguments, state: &State) -> Result<()> {
    let log = state.log("dev");
    let output = private::create_file(&log)?;
    let mut supervisor =
        Command::new(env::current_exe().context("can't find the path of this program")?);
    supervisor
        .args(without_key(env::args_os().skip(1)))
        .arg("--supervise");
    if let Some(key) = &arguments.upstream_key {
        supervisor.env("CLAWLESS_UPSTREAM_KEY", key);
    }
    let mut child = supervisor
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .context("can't start the background process")?;
    let mut output = File::open(&log).with_context(|| format!("can't read {}", log.display()))?;
    let mut position = 0;
    loop {
        // Before the copy, so that the copy is complete.
        let succeeded = has_started(&mut child, state)?;
        position = copy_new(&mut output, position);
        match succeeded {
            Some(true) => {
                if !arguments.quiet {
                    // Printed here, since it contains keys and the background process writes to a log.
                    let access = Access::read(state)?;
                    println!(
                        "{}",
                        greeting::text(&access, state, &arguments.how_to_stop())
                    );
                }
                return Ok(());
            }
            Some(false) => bail!("the start failed: see above, or {}", log.display()),
            None => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The command line without the upstream's key: all users of the machine can read command lines.
fn without_key(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut rest = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--upstream-key" {
            // Skips the key.
            arguments.next();
        } else if !text.starts_with("--upstream-key=") {
            rest.push(argument);
        }
    }
    rest
}

/// Whether the start has succeeded; none while it is running.
fn has_started(child: &mut Child, state: &State) -> Result<Option<bool>> {
    if child
        .try_wait()
        .context("lost the background process")?
        .is_some()
    {
        return Ok(Some(false));
    }
    Ok(state.dev_json().is_file().then_some(true))
}

/// Copies new output to the terminal, best effort. Returns the new position.
fn copy_new(log: &mut File, position: u64) -> u64 {
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
    fn key_is_removed_from_the_command_line() {
        let remaining =
            |line: &str| without_key(line.split(' ').map(OsString::from)).join(" ".as_ref());
        for line in [
            "dev --upstream u --upstream-key k --detach",
            "dev --upstream u --upstream-key=k --detach",
        ] {
            assert_eq!(remaining(line), "dev --upstream u --detach");
        }
    }
}
