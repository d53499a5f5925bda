//! External programs that the commands run, and their installation.

pub(crate) mod bindgen;
pub(crate) mod chromium;
pub(crate) mod npm;
pub(crate) mod python;
pub(crate) mod rust;
pub(crate) mod worker_build;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{layout::Layout, progress::Progress};

/// The programs that build a bundle from a Worker crate, by path.
#[derive(Debug, Clone)]
pub(crate) struct BuildTools {
    /// `worker-build` itself.
    pub(crate) worker_build: PathBuf,
    /// Our `wasm-bindgen` of the lockfile's version.
    pub(crate) wasm_bindgen: PathBuf,
    /// npm's binaryen.
    pub(crate) wasm_opt: PathBuf,
    /// npm's esbuild.
    pub(crate) esbuild: PathBuf,
}

impl BuildTools {
    /// Installs missing programs. The npm packages must be installed.
    pub(crate) fn ready(layout: &Layout, progress: &Progress) -> Result<Self> {
        let tools = Self {
            worker_build: worker_build::ready(layout, progress)?,
            wasm_bindgen: bindgen::ready(layout, progress)?,
            wasm_opt: layout.at("node_modules/binaryen/bin/wasm-opt"),
            esbuild: layout.at("node_modules/esbuild/bin/esbuild"),
        };
        // worker-build only warns about a wrong path, and then downloads another version.
        for program in [
            &tools.worker_build,
            &tools.wasm_bindgen,
            &tools.wasm_opt,
            &tools.esbuild,
        ] {
            require(program)?;
        }
        Ok(tools)
    }
}

fn require(program: &Path) -> Result<()> {
    if program.is_file() {
        return Ok(());
    }
    bail!(
        "{} is missing: run `npm ci --ignore-scripts`, then try again",
        program.display()
    )
}
