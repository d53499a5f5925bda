//! The programs that steps run, each with its output in a log of its own.

use std::path::PathBuf;
use std::{
    fs,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result};

use crate::{layout::Layout, private, process::tail, tools::npm};

use super::counts::{Failure, TestCounts};

/// A program of a step.
pub(super) struct StepCommand {
    command: Command,
    log: PathBuf,
    count: fn(&str) -> TestCounts,
}

impl StepCommand {
    /// A program that runs tests; `count` reads their number from its output.
    pub(super) fn new(
        layout: &Layout,
        name: &str,
        command: Command,
        count: fn(&str) -> TestCounts,
    ) -> Self {
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

    /// A program without tests.
    pub(super) fn without_tests(layout: &Layout, name: &str, command: Command) -> Self {
        Self::new(layout, name, command, |_| TestCounts::default())
    }

    /// Runs the program to its end. The error of a failure holds the last lines of the output.
    pub(super) fn run(mut self) -> Result<TestCounts> {
        let (status, output) = self.output()?;
        let counts = (self.count)(&output);
        if !status.success() || counts.failed > 0 {
            return Err(Failure {
                counts,
                message: format!(
                    "{status}; the whole output is in {}:\n{}",
                    self.log.display(),
                    tail(&output)
                ),
            }
            .into());
        }
        Ok(counts)
    }

    fn output(&mut self) -> Result<(ExitStatus, String)> {
        let log = private::create_file(&self.log)?;
        let status = self
            .command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .env("CARGO_TERM_COLOR", "never")
            .env("NO_COLOR", "1")
            .status()
            .with_context(|| {
                format!(
                    "can't start {}: is it installed?",
                    self.command.get_program().display()
                )
            })?;
        Ok((
            status,
            String::from_utf8_lossy(&fs::read(&self.log)?).into_owned(),
        ))
    }
}

/// The Node of the npm packages, first in the search path too.
pub(super) fn node(layout: &Layout) -> Result<Command> {
    let mut command = Command::new(npm::node(layout)?);
    command
        .current_dir(layout.root())
        .env("PATH", npm::path_with_node(layout)?)
        .env("WRANGLER_SEND_METRICS", "false");
    Ok(command)
}
