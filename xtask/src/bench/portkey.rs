//! Portkey's gateway as npm ships it for Node: what others pay for less.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{layout::Layout, process::run_logged, progress::Progress, stamp::Stamp, tools::npm};

/// What is installed. It brings ninety packages that nothing else needs, so it lies in the cache
/// and not in the lockfile.
const PACKAGE: &str = "@portkey-ai/gateway@1.15.2";

/// How long it may take to listen.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A running gateway of Portkey's, killed when it is dropped.
pub(super) struct Portkey {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Portkey {
    /// Installs it if need be and starts it.
    pub(super) fn start(layout: &Layout, progress: &Progress) -> Result<Self> {
        let folder = install(layout, progress)?;
        // Somebody else could take the port in between; then starting fails, and says so.
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
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if started.elapsed() > TIMEOUT {
                bail!("Portkey's gateway does not listen");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(gateway)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Portkey {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
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
