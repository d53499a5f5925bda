//! The table of steps.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::progress::Progress;

use super::tally::{Failure, Tally};

/// The steps that are over.
pub(crate) struct Report {
    rows: Mutex<Vec<Row>>,
    progress: Progress,
    begun: Instant,
}

struct Row {
    name: &'static str,
    took: Duration,
    tally: Tally,
    failure: Option<String>,
}

impl Report {
    /// Nothing is over yet.
    pub(crate) fn new(progress: Progress) -> Self {
        Self {
            rows: Mutex::new(Vec::new()),
            progress,
            begun: Instant::now(),
        }
    }

    /// Runs a step and notes how it went. Says whether it passed.
    pub(crate) fn step(&self, name: &'static str, work: impl FnOnce() -> Result<Tally>) -> bool {
        let task = self.progress.task(name);
        let begun = Instant::now();
        let outcome = work();
        let passed = outcome.is_ok();
        let (tally, failure) = match outcome {
            Ok(tally) => (tally, None),
            Err(error) => {
                let mut tally = error
                    .downcast_ref::<Failure>()
                    .map(|failure| failure.tally)
                    .unwrap_or_default();
                // A step that fails before its tests do has failed once.
                tally.failed = tally.failed.max(1);
                (tally, Some(format!("{error:#}")))
            }
        };
        if passed {
            task.done();
        } else {
            drop(task);
        }
        if let Some(failure) = &failure {
            self.progress.line(format!("{name}: {failure}"));
        }
        if let Ok(mut rows) = self.rows.lock() {
            rows.push(Row {
                name,
                took: begun.elapsed(),
                tally,
                failure,
            });
        }
        passed
    }

    /// Notes a step that can't be run because another failed.
    pub(crate) fn blocked(&self, name: &'static str, by: &str) {
        self.step(name, || anyhow::bail!("not run, because this failed: {by}"));
    }

    /// Prints the table and the sum. Says whether anything failed.
    pub(crate) fn print(&self) -> bool {
        let Ok(rows) = self.rows.lock() else {
            return true;
        };
        println!(
            "\n{:<34} {:<8} {:>8} {:>8} {:>8} {:>9}",
            "step", "result", "passed", "failed", "skipped", "seconds"
        );
        for row in rows.iter() {
            let Tally {
                passed,
                failed,
                skipped,
            } = row.tally;
            let result = if row.failure.is_some() {
                "FAILED"
            } else {
                "ok"
            };
            println!(
                "{:<34} {result:<8} {passed:>8} {failed:>8} {skipped:>8} {:>9.1}",
                row.name,
                row.took.as_secs_f64()
            );
        }
        let sum: Tally = rows.iter().map(|row| row.tally).sum();
        println!(
            "\n{} steps in {:.0} s; tests:",
            rows.len(),
            self.begun.elapsed().as_secs_f64()
        );
        println!("{} passed, {} failed", sum.passed, sum.failed);
        rows.iter().any(|row| row.failure.is_some())
    }
}
