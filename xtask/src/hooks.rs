//! `cargo xtask hooks`: a git hook that looks at what is about to be committed.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{layout::Layout, process::capture, progress::Progress};

/// The hook. It checks only when Rust is staged, and only the packages concerned.
const HOOK: &str = include_str!("hooks/pre-commit.sh");

/// The line by which our hook is known again.
const MARK: &str = "# Installed by `cargo xtask hooks`.";

/// Installs the hook; one that somebody else wrote is left alone.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    let folder = capture(
        Command::new("git")
            .args(["rev-parse", "--git-path", "hooks"])
            .current_dir(layout.root()),
    )?;
    let hook: PathBuf = layout.at(folder.trim()).join("pre-commit");
    if fs::read_to_string(&hook).is_ok_and(|existing| !existing.contains(MARK)) {
        bail!(
            "{} exists and is not ours: add a call of `cargo fmt --check` and clippy to it by hand",
            hook.display()
        );
    }
    if let Some(folder) = hook.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
    }
    fs::write(&hook, HOOK)
        .and_then(|()| fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("can't write {}", hook.display()))?;
    progress.line(format!(
        "Installed {}: it checks the format and runs clippy on what is staged.",
        hook.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_carries_the_mark_by_which_it_is_replaced() {
        assert!(HOOK.contains(MARK));
    }
}
