//! The ledger's object without the gateway: what it takes in, and how long an admission takes.

use anyhow::Result;
use serde::Serialize;

use super::{contest::Effort, load, process::cpu_seconds, runtime::Runtime};
use crate::progress::Progress;

/// What was measured of the objects.
#[derive(Debug, Serialize)]
pub(super) struct Objects {
    pub(super) one_tenant: Throughput,
    pub(super) hundred_tenants: Throughput,
    /// From request to answer, asking nobody, one at a time: 50 and 99 of 100, in milliseconds.
    pub(super) bare_ms: [f64; 2],
    /// The same with one admission.
    pub(super) admission_ms: [f64; 2],
}

/// Calls, each an admission and its settlement, both written.
#[derive(Debug, Serialize)]
pub(super) struct Throughput {
    pub(super) calls_per_second: f64,
    pub(super) cpu_seconds_per_1000: f64,
}

/// The tenants whose ledgers are asked. Without them D1 would refuse their receipts.
const TENANTS: &str = "WITH RECURSIVE numbers (number) AS (
        SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < 99
    )
    INSERT INTO tenants (id, name, tier, status, created_at, updated_at)
    SELECT printf('ten_%026d', number), 'bench', 'enterprise', 'active', 0, 0 FROM numbers";

/// Measures the objects of a runtime.
pub(super) fn measure(runtime: &Runtime, effort: Effort, progress: &Progress) -> Result<Objects> {
    let task = progress.task("The ledger's objects");
    runtime.execute(TENANTS)?;
    let objects = Objects {
        one_tenant: throughput(runtime, 1, effort)?,
        hundred_tenants: throughput(runtime, 100, effort)?,
        bare_ms: latency(runtime, "/bare", effort)?,
        admission_ms: latency(runtime, "/admit", effort)?,
    };
    task.done();
    Ok(objects)
}

fn throughput(runtime: &Runtime, tenants: usize, effort: Effort) -> Result<Throughput> {
    let request = load::Request::proven_get(&format!("/calls/{tenants}"), "booked");
    let run = |requests| load::run(runtime.ledgers, &request, effort.connections, requests);
    run(effort.requests / 4)?;
    let before = cpu_seconds(runtime.pid())?;
    let outcome = run(effort.requests)?;
    let used = cpu_seconds(runtime.pid())? - before;
    Ok(Throughput {
        calls_per_second: outcome.requests_per_second(),
        cpu_seconds_per_1000: used * 1000.0 / super::as_f64(effort.requests),
    })
}

fn latency(runtime: &Runtime, path: &str, effort: Effort) -> Result<[f64; 2]> {
    let request = load::Request::proven_get(path, "{");
    let outcome = load::run(runtime.ledgers, &request, 1, effort.requests / 4)?;
    Ok([50, 99].map(|percent| outcome.percentile_ms(percent)))
}
