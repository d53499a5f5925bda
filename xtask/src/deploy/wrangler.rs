//! The only place that runs wrangler for a deployment. A preview answers questions from
//! `environments.jsonc` and prints the changes instead of making them.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    deploy::plan::{Answer, Plan},
    layout::Layout,
    private,
    process::{self, run_logged, tail},
    progress::Progress,
    tools::npm,
};

/// Replaces wrangler's script, for the tests.
const SCRIPT: &str = "CLAWLESS_WRANGLER";

/// wrangler for one environment.
pub(crate) struct Wrangler<'a> {
    layout: &'a Layout,
    progress: &'a Progress,
    folder: PathBuf,
    account: Option<String>,
    plan: Option<Plan>,
}

/// What wrangler's errors contain if a Worker, a bucket or a queue does not exist. Exact, since a Worker that
/// seems to be missing would be deployed as if it were the first.
const MISSING: [&str; 3] = ["code: 10007", "code: 10006", "\" does not exist."];

/// Errors that the operator can resolve, by what the output contains.
const ADVICE: [(&str, &str); 6] = [
    (
        "code: 10000",
        "The token has no permission for this. It needs to edit Workers Scripts, D1, Workers KV Storage and Queues of the account, and Workers Routes for a domain.",
    ),
    (
        "code: 10063",
        "The account has no workers.dev subdomain yet: open Workers in the dashboard once, or set a `domain` in wrangler/environments.jsonc.",
    ),
    (
        "code: 10027",
        "A bundle is larger than the account's plan allows.",
    ),
    (
        "code: 100117",
        "The domain already has a DNS record or belongs to another Worker: remove it there first.",
    ),
    (
        "fetch failed",
        "The platform does not respond: check the network, then run the command again.",
    ),
    (
        "ENOTFOUND",
        "The platform does not respond: check the network, then run the command again.",
    ),
];

impl<'a> Wrangler<'a> {
    /// wrangler with its logs in `folder`. With a plan, nothing is executed.
    pub(crate) fn new(
        layout: &'a Layout,
        progress: &'a Progress,
        folder: PathBuf,
        plan: Option<Plan>,
    ) -> Self {
        Self {
            layout,
            progress,
            folder,
            account: None,
            plan,
        }
    }

    /// Uses this account from now on.
    pub(crate) fn use_account(&mut self, account: &str) {
        self.account = Some(account.to_owned());
    }

    /// Whether commands are only printed.
    pub(crate) fn is_preview(&self) -> bool {
        self.plan.is_some()
    }

    /// Prints a step of the preview that is not a command of wrangler.
    pub(crate) fn preview(&self, text: &str) {
        if self.plan.is_some() {
            println!("  {text}");
        }
    }

    /// Asks a question. Fails if the answer is unclear.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Answer> {
        if let Some(plan) = &self.plan {
            println!("  wrangler {}", self.shown(arguments));
            return Ok(plan.answer(arguments));
        }
        let output = self
            .command(arguments)?
            .stdin(Stdio::null())
            .output()
            .context("can't start wrangler")?;
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() {
            return Ok(Answer::Found(stdout));
        }
        if MISSING
            .iter()
            .any(|mark| stderr.contains(mark) || stdout.contains(mark))
        {
            return Ok(Answer::Missing);
        }
        bail!(
            "`wrangler {}` failed ({}):\n{}{}{}",
            self.shown(arguments),
            output.status,
            tail(&stdout),
            tail(&stderr),
            advice(&format!("{stdout}{stderr}"))
        )
    }

    /// Asks a question whose answer is JSON. Null if what it is about does not exist.
    pub(crate) fn ask_json(&self, arguments: &[&str]) -> Result<Value> {
        match self.ask(arguments)? {
            Answer::Missing => Ok(Value::Null),
            Answer::Found(text) => serde_json::from_str(&text).with_context(|| {
                format!("`wrangler {}` did not print JSON", self.shown(arguments))
            }),
        }
    }

    /// Makes a change and returns what wrangler reports about it: null, or the event of a deployment.
    pub(crate) fn change(&self, title: &str, arguments: &[&str]) -> Result<Value> {
        if self.plan.is_some() {
            println!("! wrangler {}", self.shown(arguments));
            return Ok(Value::Null);
        }
        let task = self.progress.task(title.to_owned());
        let report = self.folder.join("report.ndjson");
        drop(private::create_file(&report)?);
        let mut command = self.command(arguments)?;
        command.env("WRANGLER_OUTPUT_FILE_PATH", &report);
        let log = self.log(arguments);
        if let Err(error) = run_logged(&mut command, &log, Some(&task)) {
            let output = fs::read_to_string(&log).unwrap_or_default();
            bail!(
                "`wrangler {}`: {error}{}",
                self.shown(arguments),
                advice(&output)
            );
        }
        task.done();
        let text = fs::read_to_string(&report).unwrap_or_default();
        let is_about_work = |event: &Value| {
            event
                .get("type")
                .is_some_and(|kind| kind != "wrangler-session")
        };
        let mut events = text
            .lines()
            .rev()
            .filter_map(|line| serde_json::from_str(line).ok());
        Ok(events.find(is_about_work).unwrap_or_default())
    }

    /// Makes a change with a secret as its input, which no log and no argument contains.
    pub(crate) fn send(&self, title: &str, arguments: &[&str], input: &str) -> Result<()> {
        if self.plan.is_some() {
            println!(
                "! wrangler {}   (value by standard input)",
                self.shown(arguments)
            );
            return Ok(());
        }
        let task = self.progress.task(title.to_owned());
        let mut child = self
            .command(arguments)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("can't start wrangler")?;
        let _registration = process::Registration::new(&child);
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(input.as_bytes())
                .context("wrangler did not read the value")?;
        }
        let output = child.wait_with_output().context("lost wrangler")?;
        if !output.status.success() {
            let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
            bail!(
                "`wrangler {}` failed ({}):\n{}{}",
                self.shown(arguments),
                output.status,
                tail(&all),
                advice(&all)
            );
        }
        task.done();
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let script = env::var_os(SCRIPT).map_or_else(
            || self.layout.at("node_modules/wrangler/bin/wrangler.js"),
            PathBuf::from,
        );
        let mut command = npm::node_with_wrangler(self.layout, &self.folder, &script)?;
        // No prompts: each has a default that continues.
        command.args(arguments).env("CI", "true");
        if let Some(account) = &self.account {
            command.env("CLOUDFLARE_ACCOUNT_ID", account);
        }
        Ok(command)
    }

    /// The arguments as a person would type them at the root of the checkout.
    fn shown(&self, arguments: &[&str]) -> String {
        let root = format!("{}/", self.layout.root().display());
        let quote = |argument: &&str| {
            let argument = argument.replace(&root, "");
            let is_plain =
                |letter: char| letter.is_ascii_alphanumeric() || "-_./=@:%".contains(letter);
            if argument.chars().all(is_plain) && !argument.is_empty() {
                argument
            } else {
                format!("'{argument}'")
            }
        };
        arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
    }

    fn log(&self, arguments: &[&str]) -> PathBuf {
        let words = arguments.iter().take_while(|word| !word.starts_with('-'));
        let name = words.copied().collect::<Vec<_>>().join("-");
        let letters = name
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-');
        self.folder
            .join("logs")
            .join(format!("{}.log", letters.collect::<String>()))
    }
}

/// A path as an argument.
pub(crate) fn argument(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("the path {} is not UTF-8", path.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn advice(output: &str) -> String {
    let known = ADVICE.iter().find(|(mark, _)| output.contains(mark));
    known.map_or_else(String::new, |(_, advice)| format!("\n{advice}"))
}
