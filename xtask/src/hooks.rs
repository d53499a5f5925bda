//! `cargo xtask hooks`: a git hook that looks at what is about to be committed.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{layout::Layout, process::capture, progress::Progress};

/// The hook. It looks at the staged files, in a copy of their own, and at the packages concerned.
const HOOK: &str = include_str!("hooks/pre-commit.sh");

/// The line by which our hook is known again.
const MARK: &str = "# Installed by `cargo xtask hooks`.";

/// Installs the hook; one that somebody else wrote is left alone.
pub(crate) fn run(layout: &Layout, progress: &Progress) -> Result<()> {
    let folder = capture(
        Command::new("git")
            .args(["rev-parse", "--git-path", "hooks"])
            .current_dir(layout.root()),
    )?;
    let hook: PathBuf = layout.at(folder.trim()).join("pre-commit");
    if fs::read_to_string(&hook).is_ok_and(|existing| !existing.contains(MARK)) {
        bail!(
            "{} exists and is not ours: add a call of `cargo fmt --check` and clippy to it by hand",
            hook.display()
        );
    }
    if let Some(folder) = hook.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
    }
    fs::write(&hook, HOOK)
        .and_then(|()| fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("can't write {}", hook.display()))?;
    progress.line(format!(
        "Installed {}: it checks the format and runs clippy on what is staged, whatever lies beside it.",
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
            checkout.write("crates/a/src/lib.rs", WELL);
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

        /// What the hook says of what is staged.
        fn judge(&self) -> Result<String> {
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
    const WELL: &str = "pub fn a() {}\n";
    const MISSHAPEN: &str = "pub fn  a( ) { }\n";
    const SUSPECT: &str = "pub fn a() {\n    let unused = 1;\n}\n";

    #[test]
    fn hook_carries_the_mark_by_which_it_is_replaced() {
        assert!(HOOK.contains(MARK));
    }

    #[test]
    fn what_is_staged_is_judged_and_not_what_lies_beside_it() {
        let checkout = Checkout::new("hook");
        checkout.judge().unwrap();
        for (bad, complaint) in [(MISSHAPEN, "Diff in"), (SUSPECT, "unused variable")] {
            checkout.write(LIB, bad);
            checkout.judge().expect("it is not staged");
            checkout.git(&["add", LIB]);
            checkout.write(LIB, WELL);
            let error = format!("{:#}", checkout.judge().unwrap_err());
            assert!(error.contains(complaint), "{error}");
            checkout.git(&["add", LIB]);
        }
        checkout.judge().unwrap();
    }

    #[test]
    fn what_stands_at_the_root_concerns_every_package() {
        let checkout = Checkout::new("hook-root");
        checkout.write(LIB, SUSPECT);
        checkout.git(&["add", LIB]);
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let commit = ["commit", "--quiet", "--message", "a"];
        checkout.git(&[&identity[..], &commit[..]].concat());
        checkout.write("README.md", "Nothing that is built.\n");
        checkout.git(&["add", "README.md"]);
        checkout.judge().expect("no package is concerned");
        checkout.write("clippy.toml", "msrv = \"1.95\"\n");
        checkout.git(&["add", "clippy.toml"]);
        checkout
            .judge()
            .expect_err("the package is looked at again");
    }
}
