//! Cargo and the wasm target.

use std::{env, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{process::capture, progress::Progress};

/// The compilation target of the Workers.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The Cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Installs the wasm target unless it is installed. Usually rustup has installed it, since
/// `rust-toolchain.toml` lists it.
pub(crate) fn wasm_target_ready(progress: &Progress) -> Result<()> {
    if has_wasm_target()? {
        return Ok(());
    }
    let task = progress.task(format!("Rust target {WASM}"));
    capture(Command::new("rustup").args(["target", "add", WASM]))
        .with_context(|| format!("install the target manually: rustup target add {WASM}"))?;
    task.done();
    Ok(())
}

/// Whether the compiler can build for wasm.
pub(crate) fn has_wasm_target() -> Result<bool> {
    let folder =
        capture(Command::new("rustc").args(["--print", "target-libdir", "--target", WASM]))?;
    Ok(Path::new(folder.trim()).is_dir())
}
