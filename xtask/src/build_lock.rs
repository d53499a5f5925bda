//! A lock for commands that build: the commands of one checkout write the same files.

use std::fs::File;

use anyhow::{Context, Result};

use crate::{layout::Layout, private, progress::Progress};

/// Held until the value is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct BuildLock(#[expect(dead_code, reason = "held for its lock")] File);

impl BuildLock {
    /// Waits until no other command of this checkout builds.
    pub(crate) fn acquire(layout: &Layout, progress: &Progress) -> Result<Self> {
        let path = layout.at(".clawless/preparing.lock");
        let file = private::create_file(&path)?;
        if file.try_lock().is_err() {
            progress.line("  waiting for another command that builds");
            file.lock()
                .with_context(|| format!("can't lock {}", path.display()))?;
        }
        Ok(Self(file))
    }
}
