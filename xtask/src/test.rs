//! `cargo xtask test`: everything, with its own set-up, and one table of how it went.

mod checks;
mod native;
mod outside;
mod report;
mod tally;

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};

use crate::{
    doctor::require_disk_for_tests,
    layout::Layout,
    process::tail,
    progress::Progress,
    tools::{npm, rust},
    turn::Turn,
};

use self::{report::Report, tally::Tally};

/// Runs all steps. What does not depend on a step that failed runs all the same.
///
/// While Cargo compiles and runs the native checks, the packages and tools of the rest are fetched and
/// the release is built. What measures time or runs a browser comes after that, with the machine to
/// itself.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    // A disk that fills up in the middle fails in places that do not say so.
    require_disk_for_tests(layout)?;
    let report = Report::new(progress.clone());
    rust::wasm_target_ready(progress)?;
    let turn = Turn::take(layout, progress)?;
    let ready = thread::scope(|scope| {
        let set_up = scope.spawn(|| outside::set_up(layout, &report, progress));
        native::run(layout, &report, progress);
        set_up.join().unwrap_or_default()
    });
    drop(turn);
    checks::tidy(layout, &report, progress);
    outside::run(layout, &report, &ready);
    let failed = report.print();
    if failed {
        bail!("not everything passed: see the table");
    }
    Ok(())
}

/// A program of a step, with its output in a log of its own.
struct Trial {
    command: Command,
    log: PathBuf,
    count: fn(&str) -> Tally,
}

impl Trial {
    /// A program whose output `count` finds the tests in.
    fn new(layout: &Layout, name: &str, command: Command, count: fn(&str) -> Tally) -> Self {
        let log = layout.at(format!(
            ".clawless/logs/test-{}.log",
            name.replace(' ', "-")
        ));
        Self {
            command,
            log,
            count,
        }
    }

    /// A program that has no tests: it succeeds or it does not.
    fn plain(layout: &Layout, name: &str, command: Command) -> Self {
        Self::new(layout, name, command, |_| Tally::default())
    }

    /// Runs it to its end. A failure shows the end of the output.
    fn run(mut self) -> Result<Tally> {
        let (status, printed) = self.finish()?;
        let tally = (self.count)(&printed);
        if !status.success() || tally.failed > 0 {
            return Err(tally::Failure {
                tally,
                message: format!(
                    "{status}; all of it is in {}:\n{}",
                    self.log.display(),
                    tail(&printed)
                ),
            }
            .into());
        }
        Ok(tally)
    }

    fn finish(&mut self) -> Result<(ExitStatus, String)> {
        if let Some(folder) = self.log.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("can't make the folder {}", folder.display()))?;
        }
        let output = File::create(&self.log)
            .with_context(|| format!("can't write {}", self.log.display()))?;
        let status = self
            .command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .env("CARGO_TERM_COLOR", "never")
            .env("NO_COLOR", "1")
            .status()
            .with_context(|| format!("can't start {}", self.command.get_program().display()))?;
        Ok((
            status,
            String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned(),
        ))
    }
}

/// The packages' Node, with that Node first in the search path.
fn node(layout: &Layout) -> Result<Command> {
    let mut command = Command::new(npm::node(layout)?);
    command
        .current_dir(layout.root())
        .env("PATH", npm::path_with_node(layout)?)
        .env("WRANGLER_SEND_METRICS", "false");
    Ok(command)
}
