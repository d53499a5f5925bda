//! Steps that check the chat widget (`widget/`): linter, types, sizes, unit tests, and tests in Chromium.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::layout::Layout;

use super::{
    command::{StepCommand, node},
    counts::{self, TestCounts},
    files::test_files,
};

/// Lints, checks types and the released files, builds within the size limits, and runs the unit tests.
pub(super) fn check(layout: &Layout) -> Result<TestCounts> {
    let biome = "../node_modules/@biomejs/biome/bin/biome";
    let tsc = "../node_modules/typescript/bin/tsc";
    script(layout, "lint", &[biome, "check", "."])?;
    script(layout, "types", &[tsc, "--noEmit"])?;
    script(layout, "releases", &["releases.mjs"])?;
    // Fails above the limits of docs/decisions/013-chat-widget.md.
    script(layout, "build", &["build.mjs"])?;
    let mut tests = node(layout)?;
    tests
        .args(["--test", "--test-reporter=spec"])
        .args(["src/**/*.test.ts", "releases.test.mjs"])
        .current_dir(layout.at("widget"));
    run_tests(layout, "widget unit", tests)
}

/// Runs the tests in Chromium against a server that speaks the widget's protocol.
pub(super) fn browser_tests(layout: &Layout, chromium: &Path) -> Result<TestCounts> {
    let mut tests = node(layout)?;
    tests
        .args(["--test", "--test-reporter=spec", "--test-concurrency=2"])
        .args(test_files(layout, "widget/tests")?)
        .env("CLAWLESS_CHROMIUM", chromium);
    run_tests(layout, "widget browser", tests)
}

fn run_tests(layout: &Layout, name: &str, command: std::process::Command) -> Result<TestCounts> {
    let counts = StepCommand::new(layout, name, command, counts::of_node).run()?;
    ensure!(counts.passed > 0, "no test of the {name} step ran");
    Ok(counts)
}

fn script(layout: &Layout, name: &str, arguments: &[&str]) -> Result<TestCounts> {
    let mut command = node(layout)?;
    command.args(arguments).current_dir(layout.at("widget"));
    StepCommand::without_tests(layout, &format!("widget {name}"), command).run()
}
