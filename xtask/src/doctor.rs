//! `cargo xtask doctor`: checks this machine for required programs and disk space.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    layout::Layout,
    model::require_free,
    process::capture,
    progress::Progress,
    tools::{npm, python, rust, worker_build},
};

/// Disk usage of a first start in bytes: packages, tools, model and build.
const FIRST_START_BYTES: u64 = 6_000_000_000;

/// Disk usage of the first `cargo xtask test` of a clone in bytes. Measured: 6.7 GB with tools and models.
const FIRST_TEST_BYTES: u64 = 8_000_000_000;

/// Prints one line per check, and fails if a requirement is missing.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    let mut missing = 0;
    for check in checks(layout) {
        match check.found {
            Ok(found) => progress.line(format!("  ✓ {:<24} {found}", check.name)),
            Err(error) => {
                missing += 1;
                progress.line(format!("  ✗ {:<24} {error:#}", check.name));
            }
        }
    }
    if missing > 0 {
        bail!("{missing} requirements are missing: install them, then run `cargo xtask dev`");
    }
    progress.line("All requirements that `cargo xtask dev` can't install itself are met.");
    Ok(())
}

/// Checks the requirements that a start can't install, so that it fails before minutes of building.
pub(crate) fn require(layout: &Layout, with_model: bool) -> Result<()> {
    npm_version()?;
    node(layout)?;
    if with_model {
        python::find()?;
    }
    openssl(layout)?;
    disk(layout)?;
    Ok(())
}

struct Check {
    name: &'static str,
    found: Result<String>,
}

fn checks(layout: &Layout) -> Vec<Check> {
    let check = |name, found| Check { name, found };
    vec![
        check(
            "Rust",
            capture(Command::new("rustc").arg("--version")).map(|text| first_line(&text)),
        ),
        check("wasm target", wasm_target()),
        check("npm", npm_version()),
        check("Node for wrangler", node(layout)),
        check("Python 3 with pip", python::find().map(ToOwned::to_owned)),
        check("OpenSSL headers", openssl(layout)),
        check("disk", disk(layout)),
    ]
}

fn wasm_target() -> Result<String> {
    Ok(if rust::has_wasm_target()? {
        "installed"
    } else {
        "not installed yet: `cargo xtask dev` installs it with rustup"
    }
    .to_owned())
}

fn npm_version() -> Result<String> {
    match capture(Command::new("npm").args(["--version", "--no-update-notifier"])) {
        Ok(version) => Ok(first_line(&version)),
        Err(_) => bail!("{}", npm::missing()),
    }
}

/// The npm packages contain Node for some platforms; elsewhere the installed one is used.
fn node(layout: &Layout) -> Result<String> {
    if npm::packaged_node(layout).is_some_and(|packaged| !packaged.is_file()) {
        return Ok("not installed yet: the npm packages contain it".to_owned());
    }
    Ok(first_line(&capture(
        Command::new(npm::node(layout)?).arg("--version"),
    )?))
}

fn openssl(layout: &Layout) -> Result<String> {
    if worker_build::path(layout)?.is_file() {
        return Ok("not needed: worker-build is installed".to_owned());
    }
    worker_build::require_openssl_headers()?;
    Ok("found".to_owned())
}

/// Space for a first start, or for one build once the tools are installed.
fn disk(layout: &Layout) -> Result<String> {
    let is_installed = worker_build::path(layout)?.is_file();
    let needed = if is_installed {
        FIRST_START_BYTES / 6
    } else {
        FIRST_START_BYTES
    };
    require_free(layout.cache(), needed, "CLAWLESS_CACHE")?;
    require_free(&layout.target(), needed, "CARGO_TARGET_DIR")?;
    Ok("enough".to_owned())
}

/// Space for the first test run, or for one build after it.
pub(crate) fn require_disk_for_tests(layout: &Layout) -> Result<()> {
    let is_built = layout.at("build/release").is_dir();
    let needed = if is_built {
        FIRST_TEST_BYTES / 6
    } else {
        FIRST_TEST_BYTES
    };
    require_free(&layout.target(), needed, "CARGO_TARGET_DIR")
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .map_or_else(String::new, |line| line.trim().to_owned())
}
