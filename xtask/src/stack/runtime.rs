//! The process that runs the Workers: `xtask/runtime/serve.mjs`.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    layout::{Layout, WORKERS},
    stack::{group::Group, ready, state::State},
    tools::npm,
};

/// Timeout of the gateway's first response.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// The ports of a stack's Workers, on the loopback interface.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runtime {
    /// The gateway's port.
    pub(crate) port: u16,
    /// The inspector's port; none keeps it closed.
    pub(crate) inspector_port: Option<u16>,
}

impl Runtime {
    /// Starts all Workers in one process of the group and waits until the gateway responds. The
    /// configurations and bundles must be in the state folder. The process reloads them when they change,
    /// and starts workerd again after a crash.
    pub(crate) fn start(self, layout: &Layout, state: &State, group: &mut Group) -> Result<()> {
        let settings = json!({
            "configs": WORKERS.map(|worker| state.config(worker)),
            "port": self.port,
            "storage": state.storage(),
            "inspectorPort": self.inspector_port,
        });
        let script = layout.at("xtask/runtime/serve.mjs");
        let mut command = npm::node_with_wrangler(layout, state.root(), &script)?;
        command.arg(settings.to_string());
        let log = state.log("workers");
        group.start("the Workers' runtime", &mut command, &log)?;
        let health = format!("http://127.0.0.1:{}/health", self.port);
        ready::wait(
            START_TIMEOUT,
            || ready::status_of(&health) == Some(200),
            || group.check_running(),
        )
        .with_context(|| {
            format!(
                "the gateway does not respond at {health}; the Workers' log is {}",
                log.display()
            )
        })
    }
}
