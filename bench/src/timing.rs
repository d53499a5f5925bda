//! The time of an operation.

use std::hint::black_box;
use std::time::Instant;

/// Number of runs of each benchmark.
pub(crate) const RUNS: usize = 7;

/// The shortest of several runs, in nanoseconds per operation. Other load on the machine only adds
/// time, so the minimum is the best estimate.
pub(crate) fn nanoseconds_per_operation<T>(
    operations: u32,
    mut run: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        #[allow(clippy::disallowed_methods, reason = "native benchmark")]
        let started = Instant::now();
        black_box(run()?);
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best * 1e9 / f64::from(operations))
}
