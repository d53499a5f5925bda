//! The state folder of one stack. Stacks with different folders share only the cache and the build output.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::private;

/// The paths of a state folder.
#[derive(Debug, Clone)]
pub(crate) struct State {
    root: PathBuf,
}

impl State {
    /// The state in the folder `root`.
    pub(crate) fn new(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).context("--state is not a usable folder")?;
        Ok(Self { root })
    }

    /// Restricts the state to its owner: what an earlier version stored, and all files that this process
    /// and its children create from now on.
    pub(crate) fn protect(&self) -> Result<()> {
        private::restrict_new_files();
        private::create_folder(&self.root)?;
        // Not all of the folder, which may contain the user's own files.
        for path in [
            self.dev_json(),
            self.processes(),
            self.demo_keys(),
            self.storage(),
            self.root.join("wrangler"),
            self.root.join("bundles"),
            self.root.join("logs"),
            self.root.join("registry"),
        ] {
            private::restrict(&path)?;
        }
        private::restrict_folder(&self.root)
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Tells other programs how to reach the stack. Exists while the stack is ready.
    pub(crate) fn dev_json(&self) -> PathBuf {
        self.root.join("dev.json")
    }

    /// Tells `down` which processes to stop.
    pub(crate) fn processes(&self) -> PathBuf {
        self.root.join("processes.json")
    }

    /// wrangler's storage of D1, KV and Durable Objects.
    pub(crate) fn storage(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The demo tenant and its keys; readable by the owner only.
    pub(crate) fn demo_keys(&self) -> PathBuf {
        self.root.join("demo-keys.json")
    }

    /// This stack's copy of a Worker's configuration.
    pub(crate) fn config(&self, worker: &str) -> PathBuf {
        self.root.join("wrangler").join(format!("{worker}.json"))
    }

    /// This stack's copy of a Worker's last successful bundle.
    pub(crate) fn bundle(&self, worker: &str) -> PathBuf {
        self.root.join("bundles").join(worker)
    }

    /// The log file of a program.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// The stamp of the applied migrations or the seed.
    pub(crate) fn stamp(&self, name: &str) -> PathBuf {
        self.storage().join(format!("{name}.stamp"))
    }

    /// Deletes all stored data and the demo keys.
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
