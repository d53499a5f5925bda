//! Storage calls and duration of a turn, from the gateway's native benchmark.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    tools::rust::cargo,
};

/// The cost of one kind of turn.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cost {
    name: String,
    /// Calls before the first byte of the response.
    before: Calls,
    /// Calls after it.
    after: Calls,
    microseconds: f64,
}

/// Numbers of calls.
#[derive(Debug, Serialize, Deserialize)]
struct Calls {
    database: u32,
    cache_reads: u32,
    cache_writes: u32,
    ledger: u32,
}

/// Builds and runs the benchmark. The first result is the stateless turn.
pub(super) fn measure(layout: &Layout, progress: &Progress) -> Result<Vec<Cost>> {
    let task = progress.task("Turns with a session and without");
    let bench = || {
        let mut bench = cargo();
        bench
            .args(["bench", "--package", "clawless-gateway", "--bench", "turns"])
            .current_dir(layout.root());
        bench
    };
    let log = layout.at(".clawless/logs/build-turns.log");
    run_logged(bench().arg("--no-run"), &log, Some(&task))?;
    let report = capture(&mut bench())?;
    let costs = serde_json::from_str(&report)
        .context("the output of the gateway's benchmark is not valid")?;
    task.done();
    Ok(costs)
}

impl Cost {
    /// The column titles of [`Self::row`].
    pub(super) const HEAD: [&str; 7] = [
        "",
        "D1",
        "KV reads",
        "KV writes",
        "ledger",
        "microseconds",
        "/ stateless",
    ];

    /// A row with the duration in absolute terms and relative to `stateless`.
    pub(super) fn row(&self, stateless: &Self) -> [String; 7] {
        let counts =
            |count: fn(&Calls) -> u32| format!("{} + {}", count(&self.before), count(&self.after));
        [
            self.name.clone(),
            counts(|calls| calls.database),
            counts(|calls| calls.cache_reads),
            counts(|calls| calls.cache_writes),
            counts(|calls| calls.ledger),
            format!("{:.0}", self.microseconds),
            format!("{:.2}", self.microseconds / stateless.microseconds),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::Cost;

    #[test]
    fn a_row_has_calls_before_and_after_the_first_byte_and_the_relative_duration() {
        let calls = |database| {
            format!(r#"{{"database":{database},"cache_reads":1,"cache_writes":0,"ledger":1}}"#)
        };
        let cost = |name, microseconds| {
            let (before, after) = (calls(2), calls(3));
            format!(
                r#"{{"name":"{name}","before":{before},"after":{after},"microseconds":{microseconds}}}"#
            )
        };
        let report = format!("[{},{}]", cost("stateless", 34.2), cost("hot", 85.5));
        let costs: Vec<Cost> = serde_json::from_str(&report).expect("costs");
        assert_eq!(
            costs[1].row(&costs[0]),
            ["hot", "2 + 3", "1 + 1", "0 + 0", "1 + 1", "86", "2.50"]
        );
    }
}
