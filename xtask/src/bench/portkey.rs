//! Portkey's gateway for Node, from npm.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::npm_package;
use crate::{layout::Layout, progress::Progress, tools::npm, wait};

/// The package. It has ninety dependencies that nothing else needs.
const PACKAGE: &str = "@portkey-ai/gateway@1.15.2";

/// Timeout of its start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A running gateway, killed on drop.
pub(super) struct Portkey {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Portkey {
    /// Installs and starts it.
    pub(super) fn start(layout: &Layout, progress: &Progress) -> Result<Self> {
        let folder = npm_package::install(layout, "portkey", PACKAGE, progress)?;
        // Another program may bind the port in the meantime; then the start fails.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = Command::new(npm::node(layout)?)
            .arg(folder.join("node_modules/@portkey-ai/gateway/build/start-server.js"))
            .args(["--headless", &format!("--port={}", address.port())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("can't start Portkey's gateway")?;
        let gateway = Self { process, address };
        if !wait::until(START_TIMEOUT, || TcpStream::connect(address).is_ok()) {
            bail!("Portkey's gateway does not listen");
        }
        Ok(gateway)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Portkey {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
