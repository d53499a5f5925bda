//! `cargo xtask doctor`: what this machine has and lacks.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    layout::Layout,
    model::require_free,
    process::capture,
    progress::Progress,
    tools::{npm, python, rust, worker_build},
};

/// Disk that a first start takes, packages, tools, model and build together.
const FIRST_START: u64 = 6_000_000_000;

/// Disk that the first `cargo xtask test` of a clone takes. It took 6.7 GB, tools and models among it.
const FIRST_TEST: u64 = 8_000_000_000;

/// Prints one line for each thing, and fails if one is missing.
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
        bail!("{missing} of these must be put right before `cargo xtask dev` can run");
    }
    progress.line("Everything that `cargo xtask dev` can't fetch by itself is there.");
    Ok(())
}

/// What a start needs and can't fetch, checked before anything else is begun: a person should not
/// learn of it after minutes of building.
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
        "not there yet: `cargo xtask dev` adds it by rustup"
    }
    .to_owned())
}

fn npm_version() -> Result<String> {
    match capture(Command::new("npm").args(["--version", "--no-update-notifier"])) {
        Ok(version) => Ok(first_line(&version)),
        Err(_) => {
            bail!("npm is missing: install Node.js 20 or newer, which brings it, then try again")
        }
    }
}

/// The machine's own Node must do where no package brings one.
fn node(layout: &Layout) -> Result<String> {
    if npm::packaged_node(layout).is_some_and(|packaged| !packaged.is_file()) {
        return Ok("not there yet: it comes with the npm packages".to_owned());
    }
    Ok(first_line(&capture(
        Command::new(npm::node(layout)?).arg("--version"),
    )?))
}

fn openssl(layout: &Layout) -> Result<String> {
    if worker_build::path(layout)?.is_file() {
        return Ok("not needed any more: worker-build is built".to_owned());
    }
    worker_build::require_openssl_headers()?;
    Ok("found".to_owned())
}

/// Room for a first start; once the tools are there, only for what a build writes.
fn disk(layout: &Layout) -> Result<String> {
    let begun = worker_build::path(layout)?.is_file();
    let needed = if begun { FIRST_START / 6 } else { FIRST_START };
    require_free(layout.cache(), needed, "CLAWLESS_CACHE")?;
    require_free(&layout.target(), needed, "CARGO_TARGET_DIR")?;
    Ok("enough".to_owned())
}

/// Room for everything that is tested; where the release is built, only for what changes.
pub(crate) fn require_disk_for_tests(layout: &Layout) -> Result<()> {
    let is_built = layout.at("build/release").is_dir();
    let needed = if is_built { FIRST_TEST / 6 } else { FIRST_TEST };
    require_free(&layout.target(), needed, "CARGO_TARGET_DIR")
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .map_or_else(String::new, |line| line.trim().to_owned())
}
