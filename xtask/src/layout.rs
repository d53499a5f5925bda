//! Paths: the checkout, its build output, and the cache that all checkouts share.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The three Workers in the order for a local stack: the first is public, the others are its services.
pub(crate) const WORKERS: [&str; 3] = ["gateway", "admin", "widget-server"];

/// The folders that the commands use.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
    cache: PathBuf,
}

impl Layout {
    /// Finds the checkout of this program and the user's cache.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask is outside of a checkout: run it as `cargo xtask`")?
            .to_path_buf();
        Ok(Self {
            root,
            cache: cache_folder()?,
        })
    }

    /// The root of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the checkout.
    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// A path inside the cache. Creates its folder.
    pub(crate) fn cached(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.cache.join(path);
        let folder = path.parent().unwrap_or(&self.cache);
        fs::create_dir_all(folder)
            .with_context(|| format!("can't create the folder {}", folder.display()))?;
        Ok(path)
    }

    /// The root of the cache. It may not exist yet.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// The folder that Cargo builds into.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.at("target"), |folder| self.root.join(folder))
    }

    /// The configurations and databases of a benchmark. Each run overwrites them.
    pub(crate) fn bench_folder(&self) -> PathBuf {
        self.default_state().join("bench")
    }

    /// The state folder of a stack without `--state`.
    pub(crate) fn default_state(&self) -> PathBuf {
        self.at(".clawless")
    }
}

/// `CLAWLESS_CACHE`, else the user's cache folder.
fn cache_folder() -> Result<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = set("CLAWLESS_CACHE") {
        return std::path::absolute(folder).context("CLAWLESS_CACHE is not a usable folder");
    }
    let base = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" })))
        .context("neither CLAWLESS_CACHE nor HOME is set: set CLAWLESS_CACHE to a folder for tools and models")?;
    Ok(base.join("clawless"))
}
