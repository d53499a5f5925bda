//! Progress of a command: bars on a terminal, plain lines elsewhere.

use std::{
    borrow::Cow,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

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
        self.end("✓");
    }

    fn end(&mut self, mark: &str) {
        self.ended = true;
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
            self.end("✗");
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
