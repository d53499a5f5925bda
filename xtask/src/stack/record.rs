//! Records of a running stack on disk: how to reach it and how to stop it.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    stack::{identity::Identity, state::State},
    stamp::write_atomically,
};

/// How to reach a ready stack: the content of `dev.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    /// The base URL for clients.
    pub(crate) base_url: String,
    /// The URL of the admin API, if there is one.
    pub(crate) admin_url: Option<String>,
    /// An admin token.
    pub(crate) admin_token: Option<String>,
    /// The demo tenant's key for servers.
    pub(crate) secret_key: Option<String>,
    /// The demo tenant's key for browsers.
    pub(crate) public_key: Option<String>,
    /// The page with the widget, if there is one.
    pub(crate) demo_url: Option<String>,
    /// An available model.
    pub(crate) model: String,
    /// The pids of the started processes.
    pub(crate) pids: Vec<u32>,
}

/// The processes of a stack: the content of `processes.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Processes {
    /// The supervising `cargo xtask dev`.
    pub(crate) supervisor: Identity,
    /// Whether the supervisor was started detached and leads a process group with its compilers.
    pub(crate) leads_group: bool,
    /// The gateway's port.
    pub(crate) port: u16,
    /// The id of the process group of the other processes.
    pub(crate) group: Option<u32>,
    /// The processes that the supervisor started.
    pub(crate) members: Vec<Identity>,
}

impl Access {
    /// Writes `dev.json`: the stack is ready.
    pub(crate) fn write(&self, state: &State) -> Result<()> {
        write_atomically(&state.dev_json(), &serde_json::to_vec_pretty(self)?, true)
    }

    /// Reads `dev.json`.
    pub(crate) fn read(state: &State) -> Result<Self> {
        let path = state.dev_json();
        let text = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not valid", path.display()))
    }
}

impl Processes {
    /// Writes `processes.json`.
    pub(crate) fn write(&self, state: &State) -> Result<()> {
        write_atomically(&state.processes(), &serde_json::to_vec_pretty(self)?, false)
    }

    /// Reads `processes.json`, if it exists.
    pub(crate) fn read(state: &State) -> Option<Self> {
        serde_json::from_slice(&fs::read(state.processes()).ok()?).ok()
    }

    /// Whether any process is running.
    pub(crate) fn any_alive(&self) -> bool {
        self.supervisor.is_alive() || self.members.iter().any(Identity::is_alive)
    }
}

/// Removes both records: the stack is stopped.
pub(crate) fn remove(state: &State) {
    // They may not exist.
    let _ = fs::remove_file(state.dev_json());
    let _ = fs::remove_file(state.processes());
}
