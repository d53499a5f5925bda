//! `worker-build`, which builds a bundle from a Worker crate.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{layout::Layout, process::run_logged, progress::Progress, tools::rust::cargo};

/// The release that matches the `worker` crate of the lockfile.
const VERSION: &str = "0.8.7";

/// The path of the installed program.
pub(crate) fn path(layout: &Layout) -> Result<PathBuf> {
    layout.cached(format!("tools/worker-build-{VERSION}/bin/worker-build"))
}

/// Installs it unless it is cached.
pub(crate) fn ready(layout: &Layout, progress: &Progress) -> Result<PathBuf> {
    let program = path(layout)?;
    if program.is_file() {
        return Ok(program);
    }
    require_openssl_headers()?;
    let task = progress.task(format!("worker-build {VERSION} (once per machine)"));
    let home = layout.cached(format!(
        "tools/worker-build-{VERSION}.{}/bin",
        std::process::id()
    ))?;
    let home = home
        .parent()
        .context("the cache is not a folder")?
        .to_path_buf();
    let mut install = cargo();
    // Unoptimised: it mostly starts other programs, and compiles four times as fast.
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
    // An incomplete folder may exist, or another process has installed it.
    let _ = fs::remove_dir_all(&final_home);
    fs::rename(&home, &final_home)
        .with_context(|| format!("can't move {} into place", home.display()))?;
    task.done();
    Ok(program)
}

/// Fails if its TLS library can't be compiled. worker-build uses the system's library, OpenSSL on Linux,
/// and has no feature for another one.
pub(crate) fn require_openssl_headers() -> Result<()> {
    let mut check = Command::new("pkg-config");
    check.args(["--exists", "openssl"]);
    if cfg!(target_os = "linux") && !check.status().is_ok_and(|status| status.success()) {
        bail!(
            "worker-build needs OpenSSL's headers to compile: run `apt-get install -y pkg-config \
             libssl-dev` (Debian, Ubuntu) or your system's equivalent, then try again"
        );
    }
    Ok(())
}
