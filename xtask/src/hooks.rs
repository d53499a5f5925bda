//! `cargo xtask hooks`: a git hook that checks staged files.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{layout::Layout, process::capture, progress::Progress};

/// The hook. It checks a copy of the staged files, and the affected packages.
const HOOK: &str = include_str!("hooks/pre-commit.sh");

/// The line that identifies this hook.
const MARKER: &str = "# Installed by `cargo xtask hooks`.";

/// Installs the hook. Does not replace other hooks.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    let folder = capture(
        Command::new("git")
            .args(["rev-parse", "--git-path", "hooks"])
            .current_dir(layout.root()),
    )?;
    let hook: PathBuf = layout.at(folder.trim()).join("pre-commit");
    if fs::read_to_string(&hook).is_ok_and(|existing| !existing.contains(MARKER)) {
        bail!(
            "{} exists already: add `cargo fmt --check` and clippy to it manually",
            hook.display()
        );
    }
    if let Some(folder) = hook.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("can't create the folder {}", folder.display()))?;
    }
    fs::write(&hook, HOOK)
        .and_then(|()| fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("can't write {}", hook.display()))?;
    progress.line(format!(
        "Installed {}: it checks format and clippy of staged files.",
        hook.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout with one package and the hook.
    struct Checkout(PathBuf);

    impl Checkout {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("clawless-{name}-{}", std::process::id()));
            let checkout = Self(root);
            let manifest = "[package]\nname = \"a\"\nedition = \"2024\"\n";
            checkout.write("crates/a/Cargo.toml", manifest);
            checkout.write("crates/a/src/lib.rs", GOOD);
            checkout.write(
                "Cargo.toml",
                "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n",
            );
            checkout.write("hook", HOOK);
            checkout.git(&["init", "--quiet"]);
            checkout.git(&["add", "Cargo.toml", "crates"]);
            checkout
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn git(&self, arguments: &[&str]) {
            capture(Command::new("git").args(arguments).current_dir(&self.0)).unwrap();
        }

        /// Runs the hook.
        fn run_hook(&self) -> Result<String> {
            let mut hook = Command::new("sh");
            hook.arg("hook").current_dir(&self.0);
            capture(hook.env("CARGO_TARGET_DIR", self.0.join("target")))
        }
    }

    impl Drop for Checkout {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const LIB: &str = "crates/a/src/lib.rs";
    const GOOD: &str = "pub fn a() {}\n";
    const UNFORMATTED: &str = "pub fn  a( ) { }\n";
    const LINTED: &str = "pub fn a() {\n    let unused = 1;\n}\n";

    #[test]
    fn hook_contains_its_marker() {
        assert!(HOOK.contains(MARKER));
    }

    #[test]
    fn hook_checks_staged_files_only() {
        let checkout = Checkout::new("hook");
        checkout.run_hook().unwrap();
        for (bad, message) in [(UNFORMATTED, "Diff in"), (LINTED, "unused variable")] {
            checkout.write(LIB, bad);
            checkout.run_hook().expect("the change is not staged");
            checkout.git(&["add", LIB]);
            checkout.write(LIB, GOOD);
            let error = format!("{:#}", checkout.run_hook().unwrap_err());
            assert!(error.contains(message), "{error}");
            checkout.git(&["add", LIB]);
        }
        checkout.run_hook().unwrap();
    }

    #[test]
    fn root_files_affect_every_package() {
        let checkout = Checkout::new("hook-root");
        checkout.write(LIB, LINTED);
        checkout.git(&["add", LIB]);
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let commit = ["commit", "--quiet", "--message", "a"];
        checkout.git(&[&identity[..], &commit[..]].concat());
        checkout.write("README.md", "Not part of a build.\n");
        checkout.git(&["add", "README.md"]);
        checkout.run_hook().expect("no package is affected");
        checkout.write("clippy.toml", "msrv = \"1.95\"\n");
        checkout.git(&["add", "clippy.toml"]);
        checkout.run_hook().expect_err("every package is checked");
    }
}
