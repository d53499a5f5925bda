//! Portkey's gateway for Node, from npm.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    layout::Layout, process::run_logged, progress::Progress, stamp::Stamp, tools::npm, wait,
};

/// The package. It is not in the lockfile, since it has ninety dependencies that nothing else needs.
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
        let folder = install(layout, progress)?;
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

fn install(layout: &Layout, progress: &Progress) -> Result<PathBuf> {
    let folder = layout.cached("tools/portkey")?;
    let stamp = Stamp::new(folder.join(".clawless-installed"), PACKAGE);
    if !stamp.is_current() {
        let task = progress.task(PACKAGE);
        std::fs::create_dir_all(&folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--prefix")
            .arg(&folder)
            .arg(PACKAGE)
            .current_dir(&folder);
        run_logged(
            &mut npm,
            &layout.at(".clawless/logs/npm-portkey.log"),
            Some(&task),
        )?;
        stamp.set()?;
        task.done();
    }
    Ok(folder)
}
