//! A Chromium for the browser tests.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    tools::npm,
};

/// Names of the program.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// Finds Chromium, or installs it with apt-get as root, else with Playwright.
pub(crate) fn ready(layout: &Layout, progress: &Progress) -> Result<PathBuf> {
    if let Some(found) = find(layout) {
        return Ok(found);
    }
    let task = progress.task("Chromium");
    let log = layout.at(".clawless/logs/chromium.log");
    let by_system = may_install() && {
        let mut update = Command::new("apt-get");
        update.arg("update");
        let mut install = Command::new("apt-get");
        install
            .args(["install", "--yes", "--no-install-recommends", "chromium"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        run_logged(&mut update, &log, Some(&task))
            .and_then(|()| run_logged(&mut install, &log, Some(&task)))
            .is_ok()
    };
    if !by_system {
        let mut install = Command::new(npm::node(layout)?);
        install
            .arg(layout.at("node_modules/playwright-core/cli.js"))
            .args(["install", "chromium"])
            .current_dir(layout.root());
        run_logged(&mut install, &log, Some(&task))?;
    }
    match find(layout) {
        Some(found) => {
            task.done();
            Ok(found)
        }
        None => bail!(
            "no Chromium: install it with your system's package manager, or set CLAWLESS_CHROMIUM to its path"
        ),
    }
}

fn find(layout: &Layout) -> Option<PathBuf> {
    let configured = env::var_os("CLAWLESS_CHROMIUM").map(PathBuf::from);
    configured
        .filter(|path| path.is_file())
        .or_else(in_path)
        .or_else(|| of_playwright(layout))
}

fn in_path() -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).find_map(|folder| {
        NAMES
            .iter()
            .map(|name| folder.join(name))
            .find(|path| path.is_file())
    })
}

/// Playwright's Chromium.
fn of_playwright(layout: &Layout) -> Option<PathBuf> {
    let script = "console.log(require('playwright-core').chromium.executablePath())";
    let path = capture(
        Command::new(npm::node(layout).ok()?)
            .args(["-e", script])
            .current_dir(layout.root()),
    )
    .ok()?;
    Some(PathBuf::from(path.trim())).filter(|path| path.is_file())
}

fn may_install() -> bool {
    nix::unistd::geteuid().is_root() && Path::new("/usr/bin/apt-get").is_file()
}
