//! Progress of a command: bars on a terminal, plain lines elsewhere.

use std::{
    borrow::Cow,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Colours of a terminal.
const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "1;31";

/// The running tasks of one command. Clones share the terminal.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    interactive: bool,
}

impl Progress {
    /// Bars on standard error when that is a terminal.
    pub(crate) fn new() -> Self {
        let interactive = std::io::stderr().is_terminal();
        let target = if interactive {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            interactive,
        }
    }

    /// Prints a line above the bars.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        if self.interactive {
            // Best effort: output must not stop the work.
            let _ = self.bars.println(text);
        } else {
            let mut out = std::io::stderr().lock();
            let _ = writeln!(out, "{text}");
        }
    }

    /// Prints a check that passed.
    pub(crate) fn check(&self, text: impl AsRef<str>) {
        self.line(format!("  {} {}", self.paint(GREEN, "✓"), text.as_ref()));
    }

    /// Prints something that does not stop the command, but that its user should know.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        self.line(format!(
            "{} {}",
            self.paint(YELLOW, "warning:"),
            text.as_ref()
        ));
    }

    /// Prints the error that ends the command.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        self.line(format!("{} {error:#}", self.paint(RED, "error:")));
    }

    /// Colours a text on a terminal, unless `NO_COLOR` is set.
    fn paint(&self, colour: &str, text: &str) -> String {
        if self.interactive && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Starts a task of unknown length.
    pub(crate) fn task(&self, title: impl Into<Cow<'static, str>>) -> Task {
        let bar = ProgressBar::new_spinner()
            .with_style(style("{spinner} {prefix} [{elapsed}] {wide_msg:.dim}"));
        self.start(bar, title.into())
    }

    /// Starts a transfer of `total` bytes.
    pub(crate) fn transfer(&self, title: impl Into<Cow<'static, str>>, total: u64) -> Task {
        let bar = ProgressBar::new(total).with_style(
            style("  {prefix} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}")
                .progress_chars("=> "),
        );
        self.start(bar, title.into())
    }

    fn start(&self, bar: ProgressBar, title: Cow<'static, str>) -> Task {
        if !self.interactive {
            self.line(format!("  … {title}"));
        }
        let bar = self.bars.add(bar.with_prefix(title.to_string()));
        bar.enable_steady_tick(Duration::from_millis(120));
        Task {
            progress: self.clone(),
            bar,
            title,
            started: Instant::now(),
            ended: false,
        }
    }
}

/// Each text on an indented line of its own, below a title.
pub(crate) fn indented(lines: impl IntoIterator<Item = String>) -> String {
    lines
        .into_iter()
        .fold(String::new(), |all, line| all + "\n    " + &line)
}

/// A running task.
pub(crate) struct Task {
    progress: Progress,
    bar: ProgressBar,
    title: Cow<'static, str>,
    started: Instant,
    ended: bool,
}

impl Task {
    /// Shows a message after the title.
    pub(crate) fn message(&self, text: impl Into<Cow<'static, str>>) {
        self.bar.set_message(text);
    }

    /// Shows the completed units and their total.
    pub(crate) fn count(&self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_style(
                style("  {prefix} [{bar:24}] {pos}/{len} [{elapsed}] {wide_msg:.dim}")
                    .progress_chars("=> "),
            );
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    /// Shows the transferred bytes.
    pub(crate) fn transferred(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Ends the task as successful and prints its duration.
    pub(crate) fn done(mut self) {
        self.end(GREEN, "✓");
    }

    fn end(&mut self, colour: &str, mark: &str) {
        self.ended = true;
        let mark = self.progress.paint(colour, mark);
        self.bar.finish_and_clear();
        self.progress.line(format!(
            "  {mark} {} ({:.1} s)",
            self.title,
            self.started.elapsed().as_secs_f64()
        ));
    }
}

impl Drop for Task {
    /// A task dropped without [`Task::done`] has failed; the caller reports the error.
    fn drop(&mut self) {
        if !self.ended {
            self.end(RED, "✗");
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
