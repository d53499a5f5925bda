//! How long a Worker takes to start.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::{load, median, runtime::Runtime, surroundings::Surroundings};
use crate::{bundle::Bundle, layout::Layout, progress::Progress};

/// How often each Worker is started. The median is told.
const STARTS: usize = 15;

/// Size and start of one Worker.
#[derive(Debug, Serialize)]
pub(super) struct Footprint {
    worker: &'static str,
    gzipped_bytes: usize,
    /// Median time from starting workerd to the first answer, less the same for an empty Worker in
    /// the same surroundings. It holds reading, compiling and instantiating the wasm, evaluating
    /// the module and one request, in wall time: an upper bound of what the platform counts.
    startup_ms: f64,
}

impl Footprint {
    /// As a row of the report.
    pub(super) fn row(&self) -> [String; 3] {
        [
            self.worker.to_owned(),
            format!("{:.1}", super::as_f64(self.gzipped_bytes) / 1000.0),
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
            let scratch = super::scratch(layout);
            let ours = scratch.join("startup-bundle");
            let empty = scratch.join("startup-empty");
            Surroundings::of_bundle(bundle.worker, &bundle.folder).write(layout, &ours)?;
            Surroundings::of_script(bundle.worker, layout, "empty.js").write(layout, &empty)?;
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
    // A path that no Worker has: the answer needs no binding.
    load::once(runtime.address, &load::Request::get("/nothing-is-here"))?;
    Ok(started.elapsed())
}
