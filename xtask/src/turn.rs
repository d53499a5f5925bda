//! Commands of one checkout that build take turns: they write the same files.

use std::fs::{self, File};

use anyhow::{Context, Result};

use crate::{layout::Layout, progress::Progress};

/// A turn, until the value is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held for its lock")] File);

impl Turn {
    /// Waits until no other command of this checkout is building.
    pub(crate) fn take(layout: &Layout, progress: &Progress) -> Result<Self> {
        let path = layout.at(".clawless/preparing.lock");
        fs::create_dir_all(layout.at(".clawless")).context("can't make the folder .clawless")?;
        let file =
            File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
        if file.try_lock().is_err() {
            progress.line("  waiting for another command that is building");
            file.lock()
                .with_context(|| format!("can't lock {}", path.display()))?;
        }
        Ok(Self(file))
    }
}
