//! The ledger's object without the gateway: throughput and latency of admissions.

use anyhow::Result;
use serde::Serialize;

use super::{comparison::Load, figures::as_f64, load, process::cpu_seconds, runtime::Runtime};
use crate::progress::Progress;

/// Results of the objects.
#[derive(Debug, Serialize)]
pub(super) struct Objects {
    pub(super) one_tenant: Throughput,
    pub(super) hundred_tenants: Throughput,
    /// Latency without a call of the ledger, sequentially: p50 and p99 in milliseconds.
    pub(super) bare_ms: [f64; 2],
    /// Latency with one admission: p50 and p99 in milliseconds.
    pub(super) admission_ms: [f64; 2],
}

/// Throughput of calls: an admission and its settlement, both stored.
#[derive(Debug, Serialize)]
pub(super) struct Throughput {
    pub(super) calls_per_second: f64,
    pub(super) cpu_seconds_per_1000: f64,
}

/// Inserts the tenants of the ledgers, since D1 rejects receipts of unknown tenants.
const TENANTS: &str = "WITH RECURSIVE numbers (number) AS (
        SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < 99
    )
    INSERT INTO tenants (id, name, tier, status, created_at, updated_at)
    SELECT printf('ten_%026d', number), 'bench', 'enterprise', 'active', 0, 0 FROM numbers";

/// Measures the objects of a runtime.
pub(super) fn measure(runtime: &Runtime, load: Load, progress: &Progress) -> Result<Objects> {
    let task = progress.task("The ledger's objects");
    runtime.execute(TENANTS)?;
    let objects = Objects {
        one_tenant: throughput(runtime, 1, load)?,
        hundred_tenants: throughput(runtime, 100, load)?,
        bare_ms: latency(runtime, "/bare", load)?,
        admission_ms: latency(runtime, "/admit", load)?,
    };
    task.done();
    Ok(objects)
}

fn throughput(runtime: &Runtime, tenants: usize, load: Load) -> Result<Throughput> {
    let request = load::Request::get_expecting(&format!("/calls/{tenants}"), "booked");
    let run = |requests| load::run(runtime.ledgers, &request, load.connections, requests);
    run(load.requests / 4)?;
    let before = cpu_seconds(runtime.pid())?;
    let result = run(load.requests)?;
    let used = cpu_seconds(runtime.pid())? - before;
    Ok(Throughput {
        calls_per_second: result.requests_per_second(),
        cpu_seconds_per_1000: used * 1000.0 / as_f64(load.requests),
    })
}

fn latency(runtime: &Runtime, path: &str, load: Load) -> Result<[f64; 2]> {
    let request = load::Request::get_expecting(path, "{");
    let result = load::run(runtime.ledgers, &request, 1, load.requests / 4)?;
    Ok([50, 99].map(|percent| result.percentile_ms(percent)))
}
