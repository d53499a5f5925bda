//! The workspace's `wasm-bindgen` command (`xtask-wasm-bindgen`), cached by version and sources.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{
    layout::Layout, process::run_logged, progress::Progress, stamp::hex, tools::rust::cargo,
};

/// The package and its program.
const PACKAGE: &str = "xtask-wasm-bindgen";

/// Builds it unless it is cached.
pub(crate) fn ready(layout: &Layout, progress: &Progress) -> Result<PathBuf> {
    let lockfile = fs::read_to_string(layout.at("Cargo.lock")).context("Cargo.lock is missing")?;
    let version = locked_version(&lockfile).context("Cargo.lock has no wasm-bindgen")?;
    let mut sources = Sha256::new();
    for file in [
        "xtask/wasm-bindgen/src/main.rs",
        "xtask/wasm-bindgen/Cargo.toml",
    ] {
        sources.update(fs::read(layout.at(file)).with_context(|| format!("{file} is missing"))?);
    }
    let key: String = hex(&sources.finalize()).chars().take(12).collect();
    let program = layout.cached(format!("tools/wasm-bindgen-{version}-{key}/wasm-bindgen"))?;
    if program.is_file() {
        return Ok(program);
    }
    let task = progress.task(format!("wasm-bindgen {version} (once per machine)"));
    let mut build = cargo();
    build
        .args(["build", "--profile", "tool", "--package", PACKAGE])
        .current_dir(layout.root());
    run_logged(
        &mut build,
        &layout.at(".clawless/logs/wasm-bindgen-build.log"),
        Some(&task),
    )?;
    let output = layout.target().join("tool").join(PACKAGE);
    let staged = program.with_extension(format!("{}.new", std::process::id()));
    fs::copy(&output, &staged)
        .and_then(|_| fs::rename(&staged, &program))
        .with_context(|| format!("can't copy {} into the cache", output.display()))?;
    task.done();
    Ok(program)
}

/// The version of `wasm-bindgen` that the Workers link.
pub(crate) fn locked_version(lockfile: &str) -> Option<&str> {
    let (_, rest) = lockfile.split_once("name = \"wasm-bindgen\"\nversion = \"")?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn version_is_that_of_wasm_bindgen_itself() {
        let lockfile = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"1.0.0\"\n\n\
                        [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lockfile), Some("0.2.130"));
    }
}
