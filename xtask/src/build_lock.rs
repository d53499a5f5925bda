//! A lock for commands that build: the commands of one checkout write the same files.

use std::fs::{self, File};

use anyhow::{Context, Result};

use crate::{layout::Layout, progress::Progress};

/// Held until the value is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct BuildLock(#[expect(dead_code, reason = "held for its lock")] File);

impl BuildLock {
    /// Waits until no other command of this checkout builds.
    pub(crate) fn acquire(layout: &Layout, progress: &Progress) -> Result<Self> {
        let path = layout.at(".clawless/preparing.lock");
        fs::create_dir_all(layout.at(".clawless")).context("can't create the folder .clawless")?;
        let file =
            File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
        if file.try_lock().is_err() {
            progress.line("  waiting for another command that builds");
            file.lock()
                .with_context(|| format!("can't lock {}", path.display()))?;
        }
        Ok(Self(file))
    }
}
