//! Stamps: records of the input of finished work, so that unchanged input needs no work.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A file with the digest of the input of the last finished work.
pub(crate) struct Stamp {
    file: PathBuf,
    input: String,
}

impl Stamp {
    /// The stamp in `file`, compared with `input`.
    pub(crate) fn new(file: PathBuf, input: impl AsRef<[u8]>) -> Self {
        Self {
            file,
            input: hex(&Sha256::digest(input.as_ref())),
        }
    }

    /// Whether the work is finished for this input.
    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|recorded| recorded == self.input)
    }

    /// Records that the work is finished.
    pub(crate) fn set(&self) -> Result<()> {
        write_atomically(&self.file, self.input.as_bytes(), false)
    }
}

/// Writes a file atomically. Only the owner can read `secret` files.
pub(crate) fn write_atomically(path: &Path, content: &[u8], secret: bool) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let attempt = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut staged = path.as_os_str().to_owned();
        staged.push(format!(".{}.new", std::process::id()));
        let mut options = File::options();
        let mode = if secret { 0o600 } else { 0o644 };
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&staged)?;
        file.write_all(content)?;
        drop(file);
        fs::rename(&staged, path)
    };
    attempt().with_context(|| format!("can't write {}", path.display()))
}

/// The SHA-256 of a file in hexadecimal. Calls `progress` with the number of bytes read so far.
pub(crate) fn digest_of(path: &Path, mut progress: impl FnMut(u64)) -> Result<String> {
    let attempt = |progress: &mut dyn FnMut(u64)| -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut total = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(hex(&hash.finalize()));
            }
            hash.update(buffer.get(..read).unwrap_or_default());
            total += read as u64;
            progress(total);
        }
    };
    attempt(&mut progress).with_context(|| format!("can't read {}", path.display()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_is_current_only_for_the_input_it_was_set_for() {
        let folder = std::env::temp_dir().join(format!("clawless-stamp-{}", std::process::id()));
        let stamp = |input: &str| Stamp::new(folder.join("stamp"), input);
        assert!(!stamp("one").is_current());
        stamp("one").set().unwrap();
        assert!(stamp("one").is_current() && !stamp("two").is_current());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn digest_of_a_file_is_its_sha_256() {
        let file = std::env::temp_dir().join(format!("clawless-digest-{}", std::process::id()));
        fs::write(&file, "abc").unwrap();
        let digest = digest_of(&file, |_| ()).unwrap();
        assert_eq!(
            digest,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        fs::remove_file(file).unwrap();
    }
}
