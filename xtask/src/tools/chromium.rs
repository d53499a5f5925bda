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

/// The names that systems give it.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// Finds one, or installs one: by the system's packages where we may, else by Playwright.
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
            "no Chromium: install one by your system's packages, or name it in CLAWLESS_CHROMIUM"
        ),
    }
}

fn find(layout: &Layout) -> Option<PathBuf> {
    let named = env::var_os("CLAWLESS_CHROMIUM").map(PathBuf::from);
    named
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

/// Where Playwright puts its own.
fn of_playwright(layout: &Layout) -> Option<PathBuf> {
    let question = "console.log(require('playwright-core').chromium.executablePath())";
    let path = capture(
        Command::new(npm::node(layout).ok()?)
            .args(["-e", question])
            .current_dir(layout.root()),
    )
    .ok()?;
    Some(PathBuf::from(path.trim())).filter(|path| path.is_file())
}

fn may_install() -> bool {
    nix::unistd::geteuid().is_root() && Path::new("/usr/bin/apt-get").is_file()
}
