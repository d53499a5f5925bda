//! Steps that need nothing but Cargo.

use std::process::Command;

use crate::{
    layout::Layout,
    model::{self, SMALL},
    openapi,
    progress::Progress,
    tools::rust::{WASM, cargo},
};

use super::{command::StepCommand, counts, report::Report};

/// All crates but the local model, whose tensor library has steps of its own.
const WORKSPACE: [&str; 3] = ["--workspace", "--exclude", "clawless-local-model"];

/// The crates that depend on the platform.
const PLATFORM: [&str; 8] = [
    "--package",
    "clawless-edge",
    "--package",
    "clawless-gateway",
    "--package",
    "clawless-admin",
    "--package",
    "clawless-widget-server",
];

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

/// Format, clippy and native tests; the local model's tests use the small model.
pub(super) fn run(layout: &Layout, report: &Report, progress: &Progress) {
    report.step("format", || {
        let command = cargo_in(layout, &[&["fmt", "--all", "--check"]]);
        StepCommand::without_tests(layout, "format", command).run()
    });
    report.step("clippy, native", || {
        let command = cargo_in(
            layout,
            &[&["clippy"], &WORKSPACE, &["--all-targets"], &DENY_WARNINGS],
        );
        StepCommand::without_tests(layout, "clippy", command).run()?;
        let local_model = ["--package", "clawless-local-model", "--all-targets"];
        let command = cargo_in(layout, &[&["clippy"], &local_model, &DENY_WARNINGS]);
        StepCommand::without_tests(layout, "clippy local model", command).run()
    });
    report.step("clippy, wasm", || {
        let command = cargo_in(
            layout,
            &[&["clippy", "--target", WASM], &PLATFORM, &DENY_WARNINGS],
        );
        StepCommand::without_tests(layout, "clippy wasm", command).run()
    });
    report.step("native tests", || {
        // The build's wasm-bindgen has no tests and takes minutes to compile.
        let without_tool = ["--exclude", "xtask-wasm-bindgen"];
        let command = cargo_in(
            layout,
            &[&["test", "--no-fail-fast"], &WORKSPACE, &without_tool],
        );
        StepCommand::new(layout, "native", command, counts::of_cargo).run()
    });
    report.step("API description is current", || {
        let command = openapi::command(layout, true);
        StepCommand::without_tests(layout, "openapi", command).run()
    });
    report.step("local model's tests", || {
        let package = ["--package", "clawless-local-model"];
        let mut command = cargo_in(layout, &[&["test", "--no-fail-fast"], &package]);
        command
            .args(model::CARGO_ARGUMENTS)
            .env("CLAWLESS_TEST_MODEL", SMALL.weights(layout, progress)?);
        StepCommand::new(layout, "local model", command, counts::of_cargo).run()
    });
}

fn cargo_in(layout: &Layout, arguments: &[&[&str]]) -> Command {
    let mut command = cargo();
    command
        .args(arguments.iter().copied().flatten())
        .current_dir(layout.root());
    command
}
