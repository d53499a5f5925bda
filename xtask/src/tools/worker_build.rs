//! `worker-build`, which makes a bundle of a Worker crate.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{layout::Layout, process::run_logged, progress::Progress, tools::rust::cargo};

/// The release that belongs to the `worker` crate of the lockfile.
const VERSION: &str = "0.8.7";

/// Where the program is once it is installed.
pub(crate) fn path(layout: &Layout) -> Result<PathBuf> {
    layout.cached(format!("tools/worker-build-{VERSION}/bin/worker-build"))
}

/// Installs it unless the cache has it.
pub(crate) fn ready(layout: &Layout, progress: &Progress) -> Result<PathBuf> {
    let program = path(layout)?;
    if program.is_file() {
        return Ok(program);
    }
    require_openssl_headers()?;
    let task = progress.task(format!("worker-build {VERSION} (once for this machine)"));
    let home = layout.cached(format!(
        "tools/worker-build-{VERSION}.{}/bin",
        std::process::id()
    ))?;
    let home = home
        .parent()
        .context("the cache has no folder")?
        .to_path_buf();
    let mut install = cargo();
    // Unoptimised: it mostly starts other programs, and is ready in a quarter of the time.
    install
        .args([
            "install",
            "worker-build",
            "--version",
            VERSION,
            "--locked",
            "--debug",
            "--root",
        ])
        .arg(&home)
        .env_remove("CARGO_TARGET_DIR");
    run_logged(
        &mut install,
        &layout.at(".clawless/logs/worker-build-install.log"),
        Some(&task),
    )?;
    let final_home = layout.cached(format!("tools/worker-build-{VERSION}"))?;
    // A half-made or older folder may be in the way, or another process was faster.
    let _ = fs::remove_dir_all(&final_home);
    fs::rename(&home, &final_home)
        .with_context(|| format!("can't move {} into place", home.display()))?;
    task.done();
    Ok(program)
}

/// Fails where its TLS library can't be built. Only Linux lacks one of the system's own.
pub(crate) fn require_openssl_headers() -> Result<()> {
    let mut question = Command::new("pkg-config");
    question.args(["--exists", "openssl"]);
    if cfg!(target_os = "linux") && !question.status().is_ok_and(|status| status.success()) {
        bail!(
            "worker-build needs OpenSSL's headers to be built: run `apt-get install -y pkg-config \
             libssl-dev` (Debian, Ubuntu) or your system's equivalent, then try again"
        );
    }
    Ok(())
}
