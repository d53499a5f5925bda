//! The tests that look at Clawless from outside: the built Workers, a whole stack, a browser.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bundle::{self, Bundle, Profile},
    deploy,
    layout::Layout,
    progress::Progress,
    tools::{BuildTools, chromium, npm, python, rust::cargo},
};

use super::{
    Trial, node,
    report::Report,
    tally::{self, Tally},
};

/// The most that a Worker's bundle may weigh, compressed, in bytes. The goal is 400,000; the gateway
/// weighs more than twice that since it holds the ledger, three wires, sessions and tools
/// (`docs/decisions/005-bundle-size.md`); none may grow unseen.
fn heaviest(worker: &str) -> usize {
    match worker {
        "gateway" => 930_000,
        "admin" => 400_000,
        _ => 150_000,
    }
}

/// What the set-up achieved.
#[derive(Debug, Default)]
pub(super) struct Ready {
    packages: bool,
    bundles: bool,
    python: Option<PathBuf>,
    chromium: Option<PathBuf>,
}

/// Fetches and builds what the tests need, beside the native checks.
pub(super) fn set_up(layout: &Layout, report: &Report, progress: &Progress) -> Ready {
    let mut ready = Ready {
        packages: report.step("set-up: npm packages", || {
            npm::ready(layout, progress).map(|()| Tally::default())
        }),
        ..Ready::default()
    };
    report.step("set-up: Python packages", || {
        ready.python = Some(python::environment(
            layout,
            &layout.at("tests/sdk/python/requirements.txt"),
            progress,
        )?);
        Ok(Tally::default())
    });
    if has_browser_tests(layout) {
        report.step("set-up: Chromium", || {
            ready.chromium = Some(chromium::ready(layout, progress)?);
            Ok(Tally::default())
        });
    }
    let mut bundles = Vec::new();
    ready.bundles = ready.packages
        && report.step("release build", || {
            bundles = build(layout, progress)?;
            Ok(Tally::default())
        });
    if ready.bundles {
        report.step("bundle sizes", || weigh(&bundles, progress));
        report.step("deploy --dry-run", || {
            deploy::rehearse(layout, progress).map(|()| Tally::default())
        });
    }
    ready
}

fn build(layout: &Layout, progress: &Progress) -> Result<Vec<Bundle>> {
    let tools = BuildTools::ready(layout, progress)?;
    bundle::build(layout, &tools, "gateway", Profile::Faults, progress)?;
    bundle::build_all(layout, &tools, Profile::Release, progress)
}

fn weigh(bundles: &[Bundle], progress: &Progress) -> Result<Tally> {
    let mut heavy = Vec::new();
    for bundle in bundles {
        let size = bundle.gzipped_size()?;
        progress.line(format!(
            "  {}: {} KB gzipped",
            bundle.worker,
            size.div_ceil(1000)
        ));
        let most = heaviest(bundle.worker);
        if size > most {
            heavy.push(format!(
                "{} weighs {size} bytes gzipped, and {most} is the most",
                bundle.worker
            ));
        }
    }
    ensure!(heavy.is_empty(), "{}", heavy.join("; "));
    Ok(Tally::default())
}

/// The tests themselves, one after another.
pub(super) fn run(layout: &Layout, report: &Report, ready: &Ready) {
    if !ready.bundles {
        for name in ["Workers on workerd", "the stack", "Python SDK", "Node SDK"] {
            report.blocked(name, "release build or npm packages");
        }
        return;
    }
    report.step("Workers on workerd", || workers(layout));
    let stack = Stack::new(layout);
    if report.step("the stack", || stack.start()) {
        match &ready.python {
            Some(python) => {
                report.step("Python SDK", || python_sdk(layout, python, &stack));
            }
            None => report.blocked("Python SDK", "set-up: Python packages"),
        }
        report.step("Node SDK", || {
            node_tests(layout, "tests/sdk/node", 1, Some(&stack), None)
        });
        if has_browser_tests(layout) {
            match &ready.chromium {
                Some(chromium) => {
                    report.step("browser", || {
                        node_tests(layout, "tests/browser", 1, Some(&stack), Some(chromium))
                    });
                }
                None => report.blocked("browser", "set-up: Chromium"),
            }
        }
        report.step("the stack stops", || stack.stop());
    } else {
        for name in ["Python SDK", "Node SDK"] {
            report.blocked(name, "the stack");
        }
    }
}

fn workers(layout: &Layout) -> Result<Tally> {
    let mut build = cargo();
    build
        .args(["build", "--quiet", "--package", "clawless-seed"])
        .current_dir(layout.root());
    Trial::plain(layout, "seed", build).run()?;
    node_tests(layout, "tests/workers", 2, None, None)
}

/// Runs the test files of a folder, so many at a time. Files that start runtimes of their own wait more
/// than they compute; those that share the stack share one model.
fn node_tests(
    layout: &Layout,
    folder: &str,
    at_once: usize,
    stack: Option<&Stack<'_>>,
    chromium: Option<&Path>,
) -> Result<Tally> {
    let files = test_files(layout, folder)?;
    let mut command = node(layout)?;
    command
        .args(["--test", "--test-reporter=spec"])
        .arg(format!("--test-concurrency={at_once}"))
        .args(&files)
        .env("CLAWLESS_BUILD", "build/release")
        .env("CLAWLESS_SEED", layout.target().join("debug/clawless-seed"));
    if let Some(stack) = stack {
        command.env("CLAWLESS_DEV_JSON", stack.state.join("dev.json"));
    }
    if let Some(chromium) = chromium {
        command.env("CLAWLESS_CHROMIUM", chromium);
    }
    let tally = Trial::new(layout, folder, command, tally::of_node).run()?;
    ensure!(tally.passed > 0, "{folder} ran no test");
    Ok(tally)
}

fn python_sdk(layout: &Layout, python: &Path, stack: &Stack<'_>) -> Result<Tally> {
    let mut command = Command::new(python);
    command
        .args([
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/sdk/python",
        ])
        .current_dir(layout.root())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // For the gateway that breaks on purpose: tests/harness/scripted.mjs.
        .env("CLAWLESS_NODE", npm::node(layout)?)
        .env("CLAWLESS_BUILD", "build/release")
        .env("CLAWLESS_SEED", layout.target().join("debug/clawless-seed"))
        .env("CLAWLESS_DEV_JSON", stack.state.join("dev.json"));
    let tally = Trial::new(layout, "sdk python", command, tally::of_pytest).run()?;
    ensure!(tally.passed > 0, "tests/sdk/python ran no test");
    Ok(tally)
}

/// The test files of a folder. None at all is a mistake that must not look like success.
fn test_files(layout: &Layout, folder: &str) -> Result<Vec<PathBuf>> {
    let path = layout.at(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("can't read {}", path.display()))?;
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with(".test.mjs");
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_test)
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{folder} has no test files");
    }
    Ok(files)
}

fn has_browser_tests(layout: &Layout) -> bool {
    test_files(layout, "tests/browser").is_ok()
}

/// A stack of the release with the small model, started and stopped by the very commands of this
/// program.
struct Stack<'a> {
    layout: &'a Layout,
    state: PathBuf,
}

impl<'a> Stack<'a> {
    fn new(layout: &'a Layout) -> Self {
        Self {
            layout,
            state: layout.at(".clawless/test-stack"),
        }
    }

    fn start(&self) -> Result<Tally> {
        // One may be left of a run that was killed.
        self.stop()?;
        self.command(
            "stack start",
            &[
                "dev",
                "--detach",
                "--fresh",
                "--release",
                "--model",
                "small",
                "--port",
                "0",
            ],
        )
    }

    fn stop(&self) -> Result<Tally> {
        self.command("stack stop", &["down"])
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Result<Tally> {
        let mut command =
            Command::new(env::current_exe().context("this program does not know its own path")?);
        command
            .args(arguments)
            .arg("--state")
            .arg(&self.state)
            .current_dir(self.layout.root());
        Trial::plain(self.layout, name, command).run()
    }
}

impl Drop for Stack<'_> {
    /// Whatever happened to the steps, the stack does not outlive them.
    fn drop(&mut self) {
        if self.state.join("processes.json").is_file() {
            // It was reported when it mattered.
            let _ = self.stop();
        }
    }
}
