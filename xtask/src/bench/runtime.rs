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

use super::surroundings::CONFIG;
use crate::layout::Layout;

/// A running workerd, killed when it is dropped.
pub(super) struct Runtime {
    process: Child,
    /// Where the Worker listens.
    pub(super) address: SocketAddr,
    database: SocketAddr,
    /// Where the Worker's ledgers can be asked directly, if it has any.
    pub(super) ledgers: SocketAddr,
}

/// What workerd says when a socket of its configuration listens.
#[derive(Deserialize)]
struct Listening {
    socket: String,
    port: u16,
}

impl Runtime {
    /// Serves the Worker that was written into `folder`; returns when it listens.
    pub(super) fn start(layout: &Layout, folder: &Path) -> Result<Self> {
        let mut process = Command::new(executable(layout)?)
            .args(["serve", "--control-fd=1", CONFIG])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("can't start workerd")?;
        let output = process.stdout.take().context("workerd has an output")?;
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
                process.kill().context("can't end workerd")?;
                process.wait().context("lost workerd")?;
                Err(error)
            }
        }
    }

    /// The id of the process.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Runs SQL, several statements if need be, in the stand-in for D1.
    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.ask_database(sql).map(drop)
    }

    /// The first value of the first row of what a query finds, as a text.
    pub(super) fn query(&self, sql: &str) -> Result<String> {
        let answer = self.ask_database(sql)?;
        let value = answer
            .pointer("/0/results/rows/0/0")
            .and_then(Value::as_str);
        value.map(str::to_owned).context("the query found nothing")
    }

    fn ask_database(&self, sql: &str) -> Result<Value> {
        let mut answer = ureq::post(format!("http://{}/query", self.database))
            .config()
            .http_status_as_error(false)
            .build()
            .send(json!([{ "sql": sql, "params": [] }]).to_string())
            .context("the database of the bench doesn't answer")?;
        let text = answer.body_mut().read_to_string()?;
        if answer.status() != 200 {
            bail!("the database of the bench refused SQL: {text}");
        }
        serde_json::from_str(&text).context("the database of the bench talks nonsense")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads what the Workers log, for as long as they run: a full pipe would stop them.
fn discard(mut log: BufReader<ChildStdout>) {
    thread::spawn(move || io::copy(&mut log, &mut io::sink()));
}

fn read_port(control: &mut impl BufRead, socket: &str) -> Result<u16> {
    let mut line = String::new();
    control
        .read_line(&mut line)
        .context("workerd's control channel broke")?;
    let listening: Listening =
        serde_json::from_str(&line).context("workerd ended before it listened")?;
    if listening.socket != socket {
        bail!("workerd opened `{}` before `{socket}`", listening.socket);
    }
    Ok(listening.port)
}

/// The runtime itself, not the script around it that npm's package puts first.
fn executable(layout: &Layout) -> Result<PathBuf> {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-64",
        ("linux", "aarch64") => "linux-arm64",
        (system, machine) => {
            bail!("the bench reads /proc, so it needs Linux, not {system} on {machine}")
        }
    };
    Ok(layout.at(format!(
        "node_modules/@cloudflare/workerd-{platform}/bin/workerd"
    )))
}
