//! Questions on the terminal: a secret that is not echoed, and a confirmation.

use std::{
    fs::File,
    io::{BufRead, IsTerminal, Read, Write, stdin},
};

use anyhow::{Context, Result, bail};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Whether somebody can be asked.
pub(crate) fn is_interactive() -> bool {
    stdin().is_terminal()
}

/// Reads a secret without echo from the terminal, or all of a standard input that is not a terminal.
pub(crate) fn secret(question: &str) -> Result<String> {
    let value = if is_interactive() {
        read_hidden(question)?
    } else {
        let mut text = String::new();
        stdin()
            .read_to_string(&mut text)
            .context("can't read standard input")?;
        text
    };
    let value = value.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        bail!("no value was given");
    }
    Ok(value.to_owned())
}

/// Asks for `yes`. False without a terminal.
pub(crate) fn confirm(question: &str) -> Result<bool> {
    if !is_interactive() {
        return Ok(false);
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    stdin()
        .lock()
        .read_line(&mut answer)
        .context("can't read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Restores the terminal when it is dropped.
struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    /// Turns off echo, line editing and signals, so that Ctrl-C also restores the terminal.
    fn start() -> Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty");
        let terminal = terminal.context("there is no terminal to ask on")?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

fn read_hidden(question: &str) -> Result<String> {
    let mut hidden = Hidden::start()?;
    write!(hidden.terminal, "{question} (not shown): ")?;
    let mut line = Vec::new();
    let mut byte = [0_u8];
    loop {
        let count = hidden.terminal.read(&mut byte)?;
        match (count, byte) {
            (0, _) | (_, [b'\r' | b'\n' | 0x04]) => break,
            (_, [0x03]) => {
                writeln!(hidden.terminal)?;
                bail!("cancelled");
            }
            (_, [0x08 | 0x7f]) => drop(line.pop()),
            (_, [other]) => line.push(other),
        }
    }
    writeln!(hidden.terminal)?;
    String::from_utf8(line).context("the value is not UTF-8")
}
