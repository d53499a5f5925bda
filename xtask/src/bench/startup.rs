//! Start-up time of the Workers.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::{
    figures::{as_f64, median},
    load,
    runtime::Runtime,
    worker_config::WorkerConfig,
};
use crate::{bundle::Bundle, layout::Layout, progress::Progress};

/// Starts per Worker; the result is the median.
const STARTS: usize = 15;

/// Size and start-up of one Worker.
#[derive(Debug, Serialize)]
pub(super) struct Footprint {
    worker: &'static str,
    gzipped_bytes: usize,
    /// Median time from the start of workerd to the first response, minus that of an empty Worker with
    /// the same configuration. It includes reading, compiling and instantiating the wasm, evaluating
    /// the module and one request, in wall time: an upper bound of what the platform counts.
    startup_ms: f64,
}

impl Footprint {
    /// A row of the report.
    pub(super) fn row(&self) -> [String; 3] {
        [
            self.worker.to_owned(),
            format!("{:.1}", as_f64(self.gzipped_bytes) / 1000.0),
            format!("{:.1}", self.startup_ms),
        ]
    }
}

/// Measures each bundle, interleaved with the empty Worker.
pub(super) fn measure(
    layout: &Layout,
    bundles: &[Bundle],
    progress: &Progress,
) -> Result<Vec<Footprint>> {
    bundles
        .iter()
        .map(|bundle| {
            let task = progress.task(format!("Start-up of {}", bundle.worker));
            let scratch = layout.bench_folder();
            let ours = scratch.join("startup-bundle");
            let empty = scratch.join("startup-empty");
            WorkerConfig::from_bundle(bundle.worker, &bundle.folder).write(layout, &ours)?;
            WorkerConfig::from_script(bundle.worker, layout, "empty.js").write(layout, &empty)?;
            let mut differences = Vec::new();
            for _ in 0..STARTS {
                let base = start_once(layout, &empty)?;
                let full = start_once(layout, &ours)?;
                differences.push((full.as_secs_f64() - base.as_secs_f64()) * 1000.0);
            }
            task.done();
            Ok(Footprint {
                worker: bundle.worker,
                gzipped_bytes: bundle.gzipped_size()?,
                startup_ms: median(&mut differences),
            })
        })
        .collect()
}

fn start_once(layout: &Layout, folder: &std::path::Path) -> Result<Duration> {
    let started = Instant::now();
    let runtime = Runtime::start(layout, folder)?;
    // An unknown path: the response needs no binding.
    load::once(runtime.address, &load::Request::get("/unknown"))?;
    Ok(started.elapsed())
}
