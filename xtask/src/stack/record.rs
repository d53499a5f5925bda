//! What a stack leaves on disk about itself: how to reach it, and how to stop it.

use std::fs;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    stack::{identity::Identity, state::State},
    stamp::write_whole,
};

/// How to reach a stack that is ready: the content of `dev.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    /// What a client takes as its base URL.
    pub(crate) base_url: String,
    /// The admin API, once there is one.
    pub(crate) admin_url: Option<String>,
    /// A token for it.
    pub(crate) admin_token: Option<String>,
    /// The demo tenant's key for servers.
    pub(crate) secret_key: Option<String>,
    /// The demo tenant's key for browsers.
    pub(crate) public_key: Option<String>,
    /// The page with the widget, once there is one.
    pub(crate) demo_url: Option<String>,
    /// A model that answers.
    pub(crate) model: String,
    /// The processes that we started.
    pub(crate) pids: Vec<u32>,
}

/// The processes of a stack: the content of `processes.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Processes {
    /// The `cargo xtask dev` that watches over the rest.
    pub(crate) supervisor: Identity,
    /// Whether the supervisor was started detached, and so leads a process group of its own, with all
    /// that it builds with.
    pub(crate) leads_group: bool,
    /// The port that the gateway listens on.
    pub(crate) port: u16,
    /// The number of the group that the others are in.
    pub(crate) group: Option<u32>,
    /// The members of the group that the supervisor started.
    pub(crate) members: Vec<Identity>,
}

impl Access {
    /// Says that the stack is ready.
    pub(crate) fn write(&self, state: &State) -> Result<()> {
        write_whole(&state.dev_json(), &serde_json::to_vec_pretty(self)?, true)
    }
}

impl Processes {
    /// Notes what runs.
    pub(crate) fn write(&self, state: &State) -> Result<()> {
        write_whole(&state.processes(), &serde_json::to_vec_pretty(self)?, false)
    }

    /// What was noted last, if it can be read.
    pub(crate) fn read(state: &State) -> Option<Self> {
        serde_json::from_slice(&fs::read(state.processes()).ok()?).ok()
    }

    /// Whether anything of it still runs.
    pub(crate) fn any_alive(&self) -> bool {
        self.supervisor.is_alive() || self.members.iter().any(Identity::is_alive)
    }
}

/// Forgets both records: the stack no longer runs.
pub(crate) fn forget(state: &State) {
    // They may be gone already.
    let _ = fs::remove_file(state.dev_json());
    let _ = fs::remove_file(state.processes());
}
