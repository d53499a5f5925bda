//! Packages of npm that only benchmarks use. They are not in the lockfile.

use std::{fs, path::PathBuf, process::Command};

use anyhow::Result;

use crate::{layout::Layout, process::run_logged, progress::Progress, stamp::Stamp};

/// Installs a package, such as `deep-chat@2.4.2`, below `tools/` in the cache, and returns the folder with its
/// `node_modules`.
pub(super) fn install(
    layout: &Layout,
    name: &str,
    package: &'static str,
    progress: &Progress,
) -> Result<PathBuf> {
    let folder = layout.cached(format!("tools/{name}"))?;
    let stamp = Stamp::new(folder.join(".clawless-installed"), package);
    if !stamp.is_current() {
        let task = progress.task(package);
        fs::create_dir_all(&folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--prefix")
            .arg(&folder)
            .arg(package)
            .current_dir(&folder);
        let log = layout.at(format!(".clawless/logs/npm-{name}.log"));
        run_logged(&mut npm, &log, Some(&task))?;
        stamp.set()?;
        task.done();
    }
    Ok(folder)
}
