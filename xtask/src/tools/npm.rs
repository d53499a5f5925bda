//! The npm packages of the lockfile, among them wrangler and a Node that wrangler accepts.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    stamp::{Stamp, hex},
};

/// The oldest Node that wrangler supports, as (major, minor).
const MIN_NODE: (u32, u32) = (22, 12);

/// Arguments of npm that install exactly what a lockfile names.
const CI: [&str; 5] = [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
];

/// Installs the packages of `package-lock.json` unless they are installed.
pub(crate) fn ready(layout: &Layout, progress: &Progress) -> Result<()> {
    let lockfile = fs::read(layout.at("package-lock.json"))
        .context("package-lock.json is missing from the checkout")?;
    let stamp = Stamp::new(layout.at("node_modules/.clawless-installed"), lockfile);
    if stamp.is_current() {
        return Ok(());
    }
    if Command::new("npm").arg("--version").output().is_err() {
        bail!("{}", missing());
    }
    let task = progress.task("npm packages (wrangler, workerd, esbuild, binaryen, Node)");
    // No package needs its install script: programs are packages for each platform.
    let mut npm = Command::new("npm");
    npm.args(CI).current_dir(layout.root());
    run_logged(&mut npm, &layout.at(".clawless/logs/npm.log"), Some(&task))?;
    stamp.set()?;
    task.done();
    Ok(())
}

/// Installs the packages of another lockfile, in the checkout's folder `of`, into the cache. Returns the folder
/// with `node_modules`.
pub(crate) fn packages(layout: &Layout, of: &str, progress: &Progress) -> Result<PathBuf> {
    let [manifest, lockfile] =
        ["package.json", "package-lock.json"].map(|name| layout.at(of).join(name));
    let pinned = fs::read(&lockfile).with_context(|| format!("{of} has no lockfile"))?;
    let key: String = hex(&Sha256::digest(&pinned)).chars().take(12).collect();
    let folder = layout.cached(format!("npm/{key}"))?;
    let stamp = Stamp::new(folder.join(".clawless-installed"), &pinned);
    if stamp.is_current() {
        return Ok(folder);
    }
    let task = progress.task(format!("npm packages of {of}"));
    fs::create_dir_all(&folder)?;
    for file in [&manifest, &lockfile] {
        let name = file.file_name().context("a file without a name")?;
        fs::copy(file, folder.join(name))
            .with_context(|| format!("can't copy {}", file.display()))?;
    }
    let mut npm = Command::new("npm");
    npm.args(CI).current_dir(&folder);
    let log = layout.at(".clawless/logs/npm-packages.log");
    run_logged(&mut npm, &log, Some(&task))?;
    stamp.set()?;
    task.done();
    Ok(folder)
}

/// The message about a missing npm. The version differs, since Node is packaged for some platforms only.
pub(crate) fn missing() -> String {
    let version = if has_packaged_node() { "20" } else { "22.12" };
    format!("npm is missing: install Node.js {version} or newer, which includes it, then try again")
}

const fn has_packaged_node() -> bool {
    cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))
}

/// The Node that runs wrangler and the tests: the packaged one, else the installed one if it is new enough.
pub(crate) fn node(layout: &Layout) -> Result<PathBuf> {
    if let Some(packaged) = packaged_node(layout).filter(|node| node.is_file()) {
        return Ok(packaged);
    }
    let version = capture(Command::new("node").arg("--version")).unwrap_or_default();
    if accepts(&version) {
        return Ok(PathBuf::from("node"));
    }
    let (major, minor) = MIN_NODE;
    let found = if version.is_empty() {
        "none".to_owned()
    } else {
        version.trim().to_owned()
    };
    bail!(
        "wrangler needs Node {major}.{minor} or newer and this machine has {found}: install a newer one, then try again"
    )
}

/// The path of the packaged Node, which exists for Linux only.
pub(crate) fn packaged_node(layout: &Layout) -> Option<PathBuf> {
    let arch = match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => "x64",
        ("linux", "aarch64") => "arm64",
        _ => return None,
    };
    Some(layout.at(format!("node_modules/node-linux-{arch}/bin/node")))
}

fn accepts(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= MIN_NODE
}

/// The search path with that Node first, for programs that are scripts.
pub(crate) fn path_with_node(layout: &Layout) -> Result<OsString> {
    let node = node(layout)?;
    let folder = node.parent().unwrap_or_else(|| Path::new(""));
    let rest = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(folder.to_path_buf()).chain(env::split_paths(&rest)))
        .context("PATH contains an invalid folder")
}

/// wrangler without telemetry and banners. Its logs and its registry of running Workers are in `state`,
/// so that stacks are independent.
pub(crate) fn wrangler(layout: &Layout, state: &Path) -> Result<Command> {
    node_with_wrangler(
        layout,
        state,
        &layout.at("node_modules/wrangler/bin/wrangler.js"),
    )
}

/// Node with a script that uses wrangler.
pub(crate) fn node_with_wrangler(layout: &Layout, state: &Path, script: &Path) -> Result<Command> {
    let mut command = Command::new(node(layout)?);
    command
        .arg(script)
        .current_dir(layout.root())
        .env("PATH", path_with_node(layout)?)
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_SEND_ERROR_REPORTS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        .env("WRANGLER_LOG_PATH", state.join("logs/wrangler"))
        .env("WRANGLER_REGISTRY_PATH", state.join("registry"))
        // Otherwise it requests this machine's location over the network.
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env("NO_UPDATE_NOTIFIER", "1")
        .env("FORCE_COLOR", "0");
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn node_is_accepted_from_the_minimum_version() {
        assert!(accepts("v22.12.0\n") && accepts("v24.1.0"));
        assert!(!accepts("v22.11.9") && !accepts("v20.20.2") && !accepts(""));
    }
}
