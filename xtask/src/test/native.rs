//! The checks that need nothing but Cargo.

use std::process::Command;

use crate::{
    layout::Layout,
    model::{self, SMALL},
    progress::Progress,
    tools::rust::{WASM, cargo},
};

use super::{Trial, report::Report, tally};

/// The crates that name the platform. They compile natively too, as far as their tests go.
const ON_PLATFORM: [&str; 4] = [
    "clawless-edge",
    "clawless-gateway",
    "clawless-admin",
    "clawless-widget-server",
];

/// Those of them whose stages are tested natively, over the testkit.
const WITH_NATIVE_TESTS: [&str; 2] = ["clawless-edge", "clawless-gateway"];

/// The crates that are no default members, because few need them.
const EXTRA: [&str; 2] = ["clawless-local-model", "xtask-wasm-bindgen"];

/// Format, clippy, native tests; the local model's with the small model.
pub(super) fn run(layout: &Layout, report: &Report, progress: &Progress) {
    report.step("format", || {
        Trial::plain(
            layout,
            "format",
            cargo_in(layout, &["fmt", "--all", "--check"]),
        )
        .run()
    });
    report.step("clippy, native", || {
        let deny = ["--all-targets", "--", "-D", "warnings"];
        let mut command = cargo_in(layout, &["clippy"]);
        command.args(deny);
        Trial::plain(layout, "clippy", command).run()?;
        let mut command = cargo_in(layout, &["clippy"]);
        command.args(packages(&EXTRA)).args(deny);
        Trial::plain(layout, "clippy extra", command).run()?;
        let mut command = cargo_in(layout, &["clippy"]);
        command.args(packages(&WITH_NATIVE_TESTS)).args(deny);
        Trial::plain(layout, "clippy platform", command).run()
    });
    report.step("clippy, wasm", || {
        let mut command = cargo_in(layout, &["clippy", "--target", WASM]);
        command
            .args(packages(&ON_PLATFORM))
            .args(["--", "-D", "warnings"]);
        Trial::plain(layout, "clippy wasm", command).run()
    });
    report.step("native tests", || {
        let command = cargo_in(layout, &["test", "--no-fail-fast"]);
        Trial::new(layout, "native", command, tally::of_cargo).run()
    });
    report.step("native tests of the gateway", || {
        let mut command = cargo_in(layout, &["test", "--no-fail-fast"]);
        command.args(packages(&WITH_NATIVE_TESTS));
        Trial::new(layout, "native gateway", command, tally::of_cargo).run()
    });
    report.step("local model's tests", || {
        let mut command = cargo_in(
            layout,
            &[
                "test",
                "--no-fail-fast",
                "--package",
                "clawless-local-model",
            ],
        );
        command
            .args(model::CARGO_ARGUMENTS)
            .env("CLAWLESS_TEST_MODEL", SMALL.fetched(layout, progress)?);
        Trial::new(layout, "local model", command, tally::of_cargo).run()
    });
}

fn cargo_in(layout: &Layout, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args(arguments).current_dir(layout.root());
    command
}

fn packages(names: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    names.iter().flat_map(|name| ["--package", *name])
}
