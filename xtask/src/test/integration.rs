//! Steps that test the built product: the bundles on workerd, a local stack with SDKs, a browser.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    bundle::{self, Profile},
    deploy,
    layout::Layout,
    process::capture,
    progress::Progress,
    sizes::{self, Sizes},
    tools::{BuildTools, chromium, npm, python, rust::cargo},
};

use super::{
    command::{StepCommand, node},
    counts::{self, TestCounts},
    files::test_files,
    report::Report,
    widget,
};

/// The checks of the API's description.
const DESCRIPTION: &str = "tests/description";

/// The programs that check the API's description.
#[derive(Debug)]
struct DescriptionTools {
    packages: PathBuf,
    python: PathBuf,
}

/// The results of the set-up.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    packages: bool,
    bundles: bool,
    python: Option<PathBuf>,
    description: Option<DescriptionTools>,
    chromium: Option<PathBuf>,
}

/// Installs and builds what the tests need, in parallel with the native checks.
pub(super) fn set_up(layout: &Layout, report: &Report, progress: &Progress) -> Prepared {
    let mut prepared = Prepared {
        packages: report.step("set-up: npm packages", || {
            npm::ready(layout, progress).map(|()| TestCounts::default())
        }),
        ..Prepared::default()
    };
    report.step("set-up: Python packages", || {
        prepared.python = Some(python::environment(
            layout,
            &layout.at("tests/sdk/python/requirements.txt"),
            progress,
        )?);
        Ok(TestCounts::default())
    });
    report.step("set-up: description tools", || {
        prepared.description = Some(DescriptionTools {
            packages: npm::packages(layout, DESCRIPTION, progress)?,
            python: python::environment(
                layout,
                &layout.at(DESCRIPTION).join("requirements.txt"),
                progress,
            )?,
        });
        Ok(TestCounts::default())
    });
    report.step("set-up: Chromium", || {
        prepared.chromium = Some(chromium::ready(layout, progress)?);
        Ok(TestCounts::default())
    });
    let mut sizes = Sizes::new();
    prepared.bundles = prepared.packages
        && report.step("release build", || {
            sizes = build(layout, progress)?;
            Ok(TestCounts::default())
        });
    if prepared.bundles {
        report.step("bundle sizes", || check_sizes(&sizes, progress));
        report.step("deploy --dry-run", || {
            deploy::validate_all(layout, progress).map(|()| TestCounts::default())
        });
    }
    prepared
}

fn build(layout: &Layout, progress: &Progress) -> Result<Sizes> {
    let tools = BuildTools::ready(layout, progress)?;
    bundle::build(layout, &tools, "gateway", Profile::Faults, progress)?;
    let bundles = bundle::build_all(layout, &tools, Profile::Release, progress)?;
    sizes::record(layout, &bundles)
}

fn check_sizes(sizes: &Sizes, progress: &Progress) -> Result<TestCounts> {
    for (name, size) in sizes {
        progress.line(format!("  {name}: {} KB gzipped", size.div_ceil(1000)));
    }
    let breaches = sizes::over_limit(sizes);
    ensure!(breaches.is_empty(), "{}", breaches.join("; "));
    Ok(TestCounts::default())
}

/// Runs the tests, one step after another.
pub(super) fn run(layout: &Layout, report: &Report, prepared: &Prepared) {
    if !prepared.packages {
        report.blocked("Workers' entry", "set-up: npm packages");
    } else if !entry_tests(layout).is_empty() {
        report.step("Workers' entry", || {
            node_tests(layout, "entry", entry_tests(layout), 2, &[])
        });
    }
    if prepared.packages {
        report.step("JavaScript syntax", || syntax(layout));
        report.step("deployment", || {
            let program = env::current_exe().context("can't find the path of this program")?;
            let files = test_files(layout, "tests/deploy")?;
            node_tests(
                layout,
                "deployment",
                files,
                1,
                &[("CLAWLESS_XTASK", program)],
            )
        });
        report.step("widget", || widget::check(layout));
    }
    match &prepared.chromium {
        Some(chromium) if prepared.packages => {
            report.step("widget in Chromium", || {
                widget::browser_tests(layout, chromium)
            });
        }
        _ => report.blocked("widget in Chromium", "set-up: npm packages or Chromium"),
    }
    if !prepared.bundles {
        for name in [
            "Workers on workerd",
            "API description",
            "local stack",
            "the stack",
            "Python SDK",
            "Node SDK",
        ] {
            report.blocked(name, "release build or npm packages");
        }
        return;
    }
    report.step("Workers on workerd", || {
        workers(layout, prepared.python.as_deref())
    });
    match &prepared.description {
        Some(tools) => {
            report.step("API description", || {
                let variables = [
                    ("CLAWLESS_DESCRIPTION_PACKAGES", tools.packages.clone()),
                    ("CLAWLESS_DESCRIPTION_PYTHON", tools.python.clone()),
                ];
                let files = test_files(layout, DESCRIPTION)?;
                node_tests(layout, "description", files, 1, &variables)
            });
        }
        None => report.blocked("API description", "set-up: description tools"),
    }
    report.step("local stack", || {
        let program = env::current_exe().context("can't find the path of this program")?;
        let files = test_files(layout, "tests/stack")?;
        node_tests(
            layout,
            "local stack",
            files,
            1,
            &[("CLAWLESS_XTASK", program)],
        )
    });
    let stack = Stack::new(layout);
    if report.step("the stack", || stack.start()) {
        match &prepared.python {
            Some(python) => {
                report.step("Python SDK", || python_sdk(layout, python, &stack));
            }
            None => report.blocked("Python SDK", "set-up: Python packages"),
        }
        report.step("Node SDK", || {
            let files = test_files(layout, "tests/sdk/node")?;
            node_tests(layout, "sdk node", files, 1, &[stack.variable()])
        });
        if has_browser_tests(layout) {
            match &prepared.chromium {
                Some(chromium) => {
                    report.step("browser", || {
                        let files = test_files(layout, "tests/browser")?;
                        let browser = ("CLAWLESS_CHROMIUM", chromium.clone());
                        node_tests(layout, "browser", files, 1, &[stack.variable(), browser])
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

/// Folders of scripts that no test loads, or that only run as a program.
const SCRIPTS: [&str; 5] = [
    "bench",
    "bench/load",
    "bench/workers",
    "workers/entry",
    "xtask/runtime",
];

/// Parses the scripts.
fn syntax(layout: &Layout) -> Result<TestCounts> {
    for folder in SCRIPTS {
        let path = layout.at(folder);
        let entries =
            fs::read_dir(&path).with_context(|| format!("can't read {}", path.display()))?;
        for script in entries.flatten().map(|entry| entry.path()) {
            let is_script = script
                .extension()
                .is_some_and(|extension| extension == "js" || extension == "mjs");
            if is_script {
                capture(node(layout)?.arg("--check").arg(&script))?;
            }
        }
    }
    Ok(TestCounts::default())
}

/// `python` runs the Python examples of the API; without it their tests fail.
fn workers(layout: &Layout, python: Option<&Path>) -> Result<TestCounts> {
    let mut build = cargo();
    build
        .args(["build", "--quiet", "--package", "clawless-seed"])
        .current_dir(layout.root());
    StepCommand::without_tests(layout, "seed", build).run()?;
    let program = env::current_exe().context("can't find the path of this program")?;
    let files = test_files(layout, "tests/workers")?;
    let mut variables = vec![("CLAWLESS_XTASK", program)];
    variables.extend(python.map(|python| ("CLAWLESS_PYTHON", python.to_owned())));
    node_tests(layout, "workers", files, 2, &variables)
}

/// Runs test files of Node, `concurrency` at a time. Files that start their own runtimes mostly wait and
/// run two at a time; files that use the stack share one model and run one at a time.
fn node_tests(
    layout: &Layout,
    name: &str,
    files: Vec<PathBuf>,
    concurrency: usize,
    variables: &[(&str, PathBuf)],
) -> Result<TestCounts> {
    let mut command = node(layout)?;
    command
        .args(["--test", "--test-reporter=spec"])
        .arg(format!("--test-concurrency={concurrency}"))
        .args(files)
        .env("CLAWLESS_BUILD", "build/release")
        .env("CLAWLESS_SEED", layout.target().join("debug/clawless-seed"))
        .envs(variables.iter().cloned());
    let counts = StepCommand::new(layout, name, command, counts::of_node).run()?;
    ensure!(counts.passed > 0, "no test of {name} ran");
    Ok(counts)
}

fn python_sdk(layout: &Layout, python: &Path, stack: &Stack<'_>) -> Result<TestCounts> {
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
        // For tests/harness/scripted.mjs, which starts a gateway with a scripted provider.
        .env("CLAWLESS_NODE", npm::node(layout)?)
        .env("CLAWLESS_BUILD", "build/release")
        .env("CLAWLESS_SEED", layout.target().join("debug/clawless-seed"))
        .env("CLAWLESS_DEV_JSON", stack.state.join("dev.json"));
    let counts = StepCommand::new(layout, "sdk python", command, counts::of_pytest).run()?;
    ensure!(counts.passed > 0, "tests/sdk/python ran no test");
    Ok(counts)
}

/// The unit tests of the JavaScript around the Workers' wasm.
fn entry_tests(layout: &Layout) -> Vec<PathBuf> {
    let folders = ["tests/entry", "workers/entry"];
    let found = folders.map(|folder| test_files(layout, folder).unwrap_or_default());
    found.concat()
}

fn has_browser_tests(layout: &Layout) -> bool {
    test_files(layout, "tests/browser").is_ok()
}

/// A stack of the release with the small model, started and stopped by this program's own commands.
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

    fn start(&self) -> Result<TestCounts> {
        // A killed run may have left one.
        self.stop()?;
        self.command(
            "stack start",
            &[
                "dev",
                "--detach",
                "--quiet",
                "--fresh",
                "--release",
                "--model",
                "small",
                "--port",
                "0",
            ],
        )
    }

    fn variable(&self) -> (&'static str, PathBuf) {
        ("CLAWLESS_DEV_JSON", self.state.join("dev.json"))
    }

    fn stop(&self) -> Result<TestCounts> {
        self.command("stack stop", &["down"])
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Result<TestCounts> {
        let mut command =
            Command::new(env::current_exe().context("can't find the path of this program")?);
        command
            .args(arguments)
            .arg("--state")
            .arg(&self.state)
            .current_dir(self.layout.root());
        StepCommand::without_tests(self.layout, name, command).run()
    }
}

impl Drop for Stack<'_> {
    /// The stack does not outlive the steps, even after a failure.
    fn drop(&mut self) {
        if self.state.join("processes.json").is_file() {
            // Only after a failed step, which the report shows.
            let _ = self.stop();
        }
    }
}
