//! The folder of one stack. Two stacks with different folders have nothing in common but the cache
//! and what is built.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The folder, by the things in it.
#[derive(Debug, Clone)]
pub(crate) struct State {
    root: PathBuf,
}

impl State {
    /// The state in the folder `root`.
    pub(crate) fn new(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).context("--state names no usable folder")?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What others read to reach the stack. It is there exactly while the stack is ready.
    pub(crate) fn dev_json(&self) -> PathBuf {
        self.root.join("dev.json")
    }

    /// What `down` reads to stop the stack.
    pub(crate) fn processes(&self) -> PathBuf {
        self.root.join("processes.json")
    }

    /// The database, the cache and the objects, as wrangler keeps them.
    pub(crate) fn storage(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The demo tenant and its keys, for the owner's eyes only.
    pub(crate) fn demo_keys(&self) -> PathBuf {
        self.root.join("demo-keys.json")
    }

    /// This stack's copy of a Worker's configuration.
    pub(crate) fn config(&self, worker: &str) -> PathBuf {
        self.root.join("wrangler").join(format!("{worker}.json"))
    }

    /// This stack's copy of a Worker's bundle: the last that was built without an error.
    pub(crate) fn bundle(&self, worker: &str) -> PathBuf {
        self.root.join("bundles").join(worker)
    }

    /// A file with what a program printed.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// Which migrations and which seed the database has seen.
    pub(crate) fn stamp(&self, name: &str) -> PathBuf {
        self.storage().join(format!("{name}.stamp"))
    }

    /// Forgets all that was stored, the demo keys too.
    pub(crate) fn wipe(&self) -> Result<()> {
        for path in [self.storage(), self.demo_keys()] {
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("can't remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
