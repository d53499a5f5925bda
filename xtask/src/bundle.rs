//! Builds Worker bundles: the deployed JavaScript and wasm of a crate.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};

use crate::{
    layout::{Layout, WORKERS},
    process::{capture, run_logged},
    progress::Progress,
    stamp::{Stamp, digest_of},
    tools::{
        BuildTools, npm,
        rust::{WASM, cargo},
    },
    widget,
};

/// A build profile of a Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Fast to rebuild, with debug assertions, not optimised by binaryen.
    Development,
    /// The deployed build.
    Release,
    /// The development build with fault injection. Only the gateway has it.
    Faults,
}

impl Profile {
    /// The name of the Cargo profile for a Worker.
    fn cargo(self, worker: &str) -> &'static str {
        match self {
            Self::Development | Self::Faults => "worker-dev",
            // Its bundle grows with each release of the widget; its code need not be fast.
            Self::Release if worker == "widget-server" => "worker-small",
            Self::Release => "release",
        }
    }

    /// The folder below `build/`.
    fn folder(self) -> &'static str {
        match self {
            Self::Development => "dev",
            Self::Release => "release",
            Self::Faults => "test",
        }
    }

    /// Arguments of Cargo for features.
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Development | Self::Release => &[],
            Self::Faults => &["--features", "test-faults"],
        }
    }
}

/// The files that a bundle consists of, the entry first: our own around worker-build's.
pub(crate) const FILES: [&str; 3] = [ENTRY, "worker.js", "index_bg.wasm"];

/// The module that the runtime starts. worker-build writes one of this name too.
const ENTRY: &str = "index.js";

/// Flags of the compiler for releases. At its highest level LLVM inlines up to a cost of 275, and of 325
/// where the code asks for it, which makes the gateway a sixth larger and a few percent faster
/// (docs/decisions/005-bundle-size.md).
const RELEASE_FLAGS: (&str, &str) = (
    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
    "-Cllvm-args=-inline-threshold=25 -Cllvm-args=-inlinehint-threshold=30",
);

/// A built Worker.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    /// The Worker's name, as in `workers/`.
    pub(crate) worker: &'static str,
    /// The folder with the bundle's files.
    pub(crate) folder: PathBuf,
}

impl Bundle {
    /// The compressed size of an upload in bytes, as the platform counts it.
    pub(crate) fn gzipped_size(&self) -> Result<usize> {
        gzipped_size(FILES.map(|file| self.folder.join(file)))
    }
}

/// The size of files in bytes, compressed as one.
pub(crate) fn gzipped_size(files: impl IntoIterator<Item = PathBuf>) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for path in files {
        let content = fs::read(&path).with_context(|| format!("{} is missing", path.display()))?;
        encoder.write_all(&content)?;
    }
    Ok(encoder.finish()?.len())
}

/// Builds all Workers, one after another, since they share Cargo's target folder.
pub(crate) fn build_all(
    layout: &Layout,
    tools: &BuildTools,
    profile: Profile,
    progress: &Progress,
) -> Result<Vec<Bundle>> {
    WORKERS
        .into_iter()
        .map(|worker| build(layout, tools, worker, profile, progress))
        .collect()
}

/// Builds one Worker.
pub(crate) fn build(
    layout: &Layout,
    tools: &BuildTools,
    worker: &'static str,
    profile: Profile,
    progress: &Progress,
) -> Result<Bundle> {
    let folder = layout.at("build").join(profile.folder()).join(worker);
    let title = match profile {
        Profile::Development => format!("Worker {worker}"),
        Profile::Release => format!("Worker {worker}, release"),
        Profile::Faults => format!("Worker {worker}, with faults"),
    };
    if worker == "widget-server" {
        widget::build(layout, progress)?;
    }
    let task = progress.task(title);
    let module = compile(layout, worker, profile, Some(&task))?;
    let inputs = format!(
        "{}\n{}\n{}\n{}",
        digest_of(&module, |_| ())?,
        digests_of_entry(layout)?,
        tools.worker_build.display(),
        tools.wasm_bindgen.display()
    );
    let stamp = Stamp::new(folder.with_extension("stamp"), inputs);
    if !(stamp.is_current() && FILES.iter().all(|file| folder.join(file).is_file())) {
        let mut command = Command::new(&tools.worker_build);
        command
            .args(["--profile", profile.cargo(worker), "--out-dir"])
            .arg(&folder)
            .current_dir(layout.at("workers").join(worker))
            .env("PATH", npm::path_with_node(layout)?)
            .env("WASM_BINDGEN_BIN", &tools.wasm_bindgen)
            .env("WASM_OPT_BIN", &tools.wasm_opt)
            .env("ESBUILD_BIN", &tools.esbuild);
        if profile == Profile::Release {
            // `xtask/wasm-bindgen` reads it.
            command.env("CLAWLESS_STRIP_NAMES", "1");
            command.env(RELEASE_FLAGS.0, RELEASE_FLAGS.1);
        } else {
            command.arg("--no-opt").env("NO_MINIFY", "1");
        }
        command.args(profile.features());
        run_logged(&mut command, &log_of(layout, worker), Some(&task))?;
        install_entry(layout, tools, worker, &folder)?;
        remove_extra_files(&folder)?;
        stamp.set()?;
    }
    task.done();
    Ok(Bundle { worker, folder })
}

/// Compiles with the arguments of worker-build, so that its own call of Cargo has nothing to do, and
/// worker-build only runs after a change.
fn compile(
    layout: &Layout,
    worker: &str,
    profile: Profile,
    task: Option<&crate::progress::Task>,
) -> Result<PathBuf> {
    let package = format!("clawless-{worker}");
    let mut command = cargo();
    command
        .args([
            "build",
            "--lib",
            "--target",
            WASM,
            "--profile",
            profile.cargo(worker),
            "--package",
            &package,
        ])
        .args(profile.features())
        .current_dir(layout.root());
    if profile == Profile::Release {
        command.env(RELEASE_FLAGS.0, RELEASE_FLAGS.1);
    }
    run_logged(&mut command, &log_of(layout, worker), task)?;
    let name = package.replace('-', "_");
    Ok(layout
        .target()
        .join(WASM)
        .join(profile.cargo(worker))
        .join(name)
        .with_extension("wasm"))
}

fn log_of(layout: &Layout, worker: &str) -> PathBuf {
    layout.at(format!(".clawless/logs/build-{worker}.log"))
}

/// Replaces worker-build's entry, which becomes `worker.js`, with `workers/entry/` as one file: the Worker's
/// own, or that of every Worker.
fn install_entry(layout: &Layout, tools: &BuildTools, worker: &str, folder: &Path) -> Result<()> {
    let own = format!("workers/entry/{worker}.js");
    let source = if layout.at(&own).is_file() {
        own.as_str()
    } else {
        "workers/entry/index.js"
    };
    let entry = folder.join(ENTRY);
    fs::rename(&entry, folder.join("worker.js"))
        .with_context(|| format!("can't rename {}", entry.display()))?;
    let mut command = Command::new(&tools.esbuild);
    command
        .args([source, "--bundle", "--format=esm"])
        .args(["--external:cloudflare:workers", "--external:./worker.js"])
        .arg("--log-level=warning")
        .arg(format!("--outfile={}", entry.display()))
        .current_dir(layout.root())
        .env("PATH", npm::path_with_node(layout)?);
    capture(&mut command).map(drop)
}

/// The digests of the entry's files.
fn digests_of_entry(layout: &Layout) -> Result<String> {
    let folder = layout.at("workers/entry");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("{} is missing", folder.display()))?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    let digests = files.iter().map(|file| digest_of(file, |_| ()));
    Ok(digests.collect::<Result<Vec<_>>>()?.join("\n"))
}

/// Removes other files of worker-build, which wrangler would upload.
fn remove_extra_files(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} is missing", folder.display()))? {
        let path = entry?.path();
        let is_part = path
            .file_name()
            .is_some_and(|name| FILES.iter().any(|file| name == *file));
        if !is_part {
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.with_context(|| format!("can't remove {}", path.display()))?;
        }
    }
    Ok(())
}
