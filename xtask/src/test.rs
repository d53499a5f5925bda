//! `cargo xtask test`: all checks and tests, with their set-up, and one table of results.

mod command;
mod counts;
mod files;
mod integration;
mod native;
mod report;
mod widget;

use std::thread;

use anyhow::{Result, bail};

use crate::{
    build_lock::BuildLock, doctor::require_disk_for_tests, layout::Layout, progress::Progress,
    tidy, tools::rust,
};

use self::{counts::TestCounts, report::Report};

/// Runs all steps. A failed step blocks only the steps that depend on it.
///
/// While Cargo compiles and runs the native checks, the packages and tools of the other steps are
/// installed and the release is built. Steps that measure time or run a browser follow alone.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    // A disk that fills up during a step fails with a misleading message.
    require_disk_for_tests(layout)?;
    let report = Report::new(progress.clone());
    rust::wasm_target_ready(progress)?;
    let lock = BuildLock::acquire(layout, progress)?;
    let prepared = thread::scope(|scope| {
        let set_up = scope.spawn(|| integration::set_up(layout, &report, progress));
        native::run(layout, &report, progress);
        set_up.join().unwrap_or_default()
    });
    drop(lock);
    // After the release build, whose bundles are checked too.
    report.step("tidy", || {
        tidy::run(layout, progress).map(|()| TestCounts::default())
    });
    integration::run(layout, &report, &prepared);
    let failed = report.print();
    if failed {
        bail!("not everything passed: see the table");
    }
    Ok(())
}
