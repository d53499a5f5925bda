//! A GGUF file: its metadata, read with the types we expect, and its tensors.

use crate::error::Failure;
use candle_core::Device;
use candle_core::quantized::{QTensor, gguf_file};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// An open GGUF file.
pub(crate) struct Gguf {
    /// Metadata and the table of tensors.
    pub(crate) content: gguf_file::Content,
    reader: BufReader<File>,
    architecture: String,
}

impl Gguf {
    /// Opens `path` and reads all but the tensors' data.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|source| Failure::File {
            path: path.to_path_buf(),
            source,
        })?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let content = gguf_file::Content::read(&mut reader)
            .map_err(|error| Failure::Unusable(format!("{}: {error}", path.display())))?;
        let architecture = content
            .metadata
            .get("general.architecture")
            .and_then(|value| value.to_string().ok())
            .cloned()
            .ok_or_else(|| Failure::Unusable("it does not name its architecture".into()))?;
        Ok(Self {
            content,
            reader,
            architecture,
        })
    }

    /// `qwen2`, `llama`, …
    pub(crate) fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The dimension `<architecture>.<key>`.
    pub(crate) fn size(&self, key: &str) -> Result<usize, Failure> {
        let number = self.own(key)?.to_u32().map_err(|_| self.missing(key))?;
        usize::try_from(number).map_err(|_| self.missing(key))
    }

    /// The number `<architecture>.<key>`.
    pub(crate) fn float(&self, key: &str) -> Result<f32, Failure> {
        self.own(key)?.to_f32().map_err(|_| self.missing(key))
    }

    /// The token id under `tokenizer.ggml.<key>`, where there is one.
    pub(crate) fn token_id(&self, key: &str) -> Option<u32> {
        self.tokenizer(key)?.to_u32().ok()
    }

    /// The value of `tokenizer.ggml.<key>`, where there is one.
    pub(crate) fn tokenizer(&self, key: &str) -> Option<&gguf_file::Value> {
        self.content.metadata.get(&format!("tokenizer.ggml.{key}"))
    }

    /// Whether the file has this tensor.
    pub(crate) fn has_tensor(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// Reads one tensor, quantised as it is in the file.
    pub(crate) fn tensor(&mut self, name: &str) -> Result<QTensor, Failure> {
        Ok(self.content.tensor(&mut self.reader, name, &Device::Cpu)?)
    }

    fn own(&self, key: &str) -> Result<&gguf_file::Value, Failure> {
        self.content
            .metadata
            .get(&format!("{}.{key}", self.architecture))
            .ok_or_else(|| self.missing(key))
    }

    fn missing(&self, key: &str) -> Failure {
        Failure::Unusable(format!("no valid `{}.{key}`", self.architecture))
    }
}
