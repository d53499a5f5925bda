//! The table of results.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::progress::Progress;

use super::counts::{Failure, TestCounts};

/// The results of the finished steps.
pub(crate) struct Report {
    rows: Mutex<Vec<Row>>,
    progress: Progress,
    started: Instant,
}

struct Row {
    name: &'static str,
    duration: Duration,
    counts: TestCounts,
    failed: bool,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(progress: Progress) -> Self {
        Self {
            rows: Mutex::new(Vec::new()),
            progress,
            started: Instant::now(),
        }
    }

    /// Runs a step and records its result. Returns whether it passed.
    pub(crate) fn step(
        &self,
        name: &'static str,
        run: impl FnOnce() -> Result<TestCounts>,
    ) -> bool {
        let task = self.progress.task(name);
        let started = Instant::now();
        let (counts, failed) = match run() {
            Ok(counts) => {
                task.done();
                (counts, false)
            }
            Err(error) => {
                drop(task);
                self.progress.line(format!("{name}: {error:#}"));
                let failure = error.downcast_ref::<Failure>();
                let mut counts = failure.map(|failure| failure.counts).unwrap_or_default();
                // A step that fails before its tests start counts as one failure.
                counts.failed = counts.failed.max(1);
                (counts, true)
            }
        };
        if let Ok(mut rows) = self.rows.lock() {
            rows.push(Row {
                name,
                duration: started.elapsed(),
                counts,
                failed,
            });
        }
        !failed
    }

    /// Records a step that can't run because another failed.
    pub(crate) fn blocked(&self, name: &'static str, by: &str) {
        self.step(name, || anyhow::bail!("not run, because this failed: {by}"));
    }

    /// Prints the table and the totals. Returns whether anything failed.
    pub(crate) fn print(&self) -> bool {
        let Ok(rows) = self.rows.lock() else {
            return true;
        };
        println!(
            "\n{:<34} {:<8} {:>8} {:>8} {:>8} {:>9}",
            "step", "result", "passed", "failed", "skipped", "seconds"
        );
        for row in rows.iter() {
            let TestCounts {
                passed,
                failed,
                skipped,
            } = row.counts;
            let result = if row.failed { "FAILED" } else { "ok" };
            println!(
                "{:<34} {result:<8} {passed:>8} {failed:>8} {skipped:>8} {:>9.1}",
                row.name,
                row.duration.as_secs_f64()
            );
        }
        let total: TestCounts = rows.iter().map(|row| row.counts).sum();
        println!(
            "\n{} steps in {:.0} s; tests:",
            rows.len(),
            self.started.elapsed().as_secs_f64()
        );
        // The last line: CI reads it.
        println!("{} passed, {} failed", total.passed, total.failed);
        rows.iter().any(|row| row.failed)
    }
}
