//! What a turn asks of the database, the cache and the ledger, and how long the gateway takes for one: its
//! own bench says, natively.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    tools::rust::cargo,
};

/// One kind of call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cost {
    name: String,
    /// What it asks before the first byte of its answer.
    before: Asked,
    /// What it asks afterwards.
    after: Asked,
    microseconds: f64,
}

/// How often each was asked.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    database: u32,
    cache_reads: u32,
    cache_writes: u32,
    ledger: u32,
}

/// Builds the gateway's bench and runs it. The first of its calls is the stateless one.
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
    let costs = serde_json::from_str(&report).context("the gateway's bench printed no costs")?;
    task.done();
    Ok(costs)
}

impl Cost {
    /// What the columns of [`Self::row`] are.
    pub(super) const HEAD: [&str; 7] = [
        "",
        "D1",
        "KV reads",
        "KV writes",
        "ledger",
        "microseconds",
        "/ stateless",
    ];

    /// As the cells of a table; how long it takes also as a multiple of what `stateless` takes.
    pub(super) fn row(&self, stateless: &Self) -> [String; 7] {
        let counts =
            |count: fn(&Asked) -> u32| format!("{} + {}", count(&self.before), count(&self.after));
        [
            self.name.clone(),
            counts(|asked| asked.database),
            counts(|asked| asked.cache_reads),
            counts(|asked| asked.cache_writes),
            counts(|asked| asked.ledger),
            format!("{:.0}", self.microseconds),
            format!("{:.2}", self.microseconds / stateless.microseconds),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::Cost;

    #[test]
    fn costs_are_shown_before_and_after_the_first_byte_and_as_multiples_of_the_stateless_one() {
        let asked = |database| {
            format!(r#"{{"database":{database},"cache_reads":1,"cache_writes":0,"ledger":1}}"#)
        };
        let cost = |name, microseconds| {
            let (before, after) = (asked(2), asked(3));
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
