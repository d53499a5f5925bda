//! One workerd process that serves one Worker.

use std::{
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::worker_config::CONFIG;
use crate::layout::Layout;

/// A running workerd, killed on drop.
pub(super) struct Runtime {
    process: Child,
    /// The address of the Worker.
    pub(super) address: SocketAddr,
    database: SocketAddr,
    /// The address of the Worker's ledgers, if it has any.
    pub(super) ledgers: SocketAddr,
}

/// workerd's message for a socket that listens.
#[derive(Deserialize)]
struct Listening {
    socket: String,
    port: u16,
}

impl Runtime {
    /// Serves the Worker in `folder`. Returns when it listens.
    pub(super) fn start(layout: &Layout, folder: &Path) -> Result<Self> {
        let mut process = Command::new(executable(layout)?)
            .args(["serve", "--control-fd=1", CONFIG])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("can't start workerd")?;
        let output = process.stdout.take().context("workerd has no output")?;
        let mut control = BufReader::new(output);
        let mut port = |socket| read_port(&mut control, socket);
        let ports = port("main").and_then(|main| Ok((main, port("database")?, port("ledgers")?)));
        match ports {
            Ok((main, database, ledgers)) => {
                discard(control);
                Ok(Self {
                    process,
                    address: (Ipv4Addr::LOCALHOST, main).into(),
                    database: (Ipv4Addr::LOCALHOST, database).into(),
                    ledgers: (Ipv4Addr::LOCALHOST, ledgers).into(),
                })
            }
            Err(error) => {
                process.kill().context("can't kill workerd")?;
                process.wait().context("lost workerd")?;
                Err(error)
            }
        }
    }

    /// The id of the process.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Runs SQL statements in the emulated D1.
    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.query_database(sql).map(drop)
    }

    /// The first value of the first row of a query, as text.
    pub(super) fn query(&self, sql: &str) -> Result<String> {
        let response = self.query_database(sql)?;
        let value = response
            .pointer("/0/results/rows/0/0")
            .and_then(Value::as_str);
        value.map(str::to_owned).context("the query has no row")
    }

    fn query_database(&self, sql: &str) -> Result<Value> {
        let mut response = ureq::post(format!("http://{}/query", self.database))
            .config()
            .http_status_as_error(false)
            .build()
            .send(json!([{ "sql": sql, "params": [] }]).to_string())
            .context("the database does not respond")?;
        let text = response.body_mut().read_to_string()?;
        if response.status() != 200 {
            bail!("the database rejected SQL: {text}");
        }
        serde_json::from_str(&text).context("the response of the database is not valid")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads the Workers' logs, since a full pipe would block them.
fn discard(mut log: BufReader<ChildStdout>) {
    thread::spawn(move || io::copy(&mut log, &mut io::sink()));
}

fn read_port(control: &mut impl BufRead, socket: &str) -> Result<u16> {
    let mut line = String::new();
    control
        .read_line(&mut line)
        .context("workerd's control channel broke")?;
    let listening: Listening =
        serde_json::from_str(&line).context("workerd exited before it listened")?;
    if listening.socket != socket {
        bail!("workerd opened `{}` before `{socket}`", listening.socket);
    }
    Ok(listening.port)
}

/// The executable, not the script of the npm package.
fn executable(layout: &Layout) -> Result<PathBuf> {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-64",
        ("linux", "aarch64") => "linux-arm64",
        (system, machine) => {
            bail!("the benchmark reads /proc, so it needs Linux, not {system} on {machine}")
        }
    };
    Ok(layout.at(format!(
        "node_modules/@cloudflare/workerd-{platform}/bin/workerd"
    )))
}
