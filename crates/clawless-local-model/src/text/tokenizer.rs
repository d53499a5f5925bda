//! The tokenizer in the GGUF file.

use super::byte_level::ByteLevel;
use crate::error::Failure;
use crate::model::Gguf;
use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::tokenizer::TokenizerFromGguf as _;
use tokenizers::pre_tokenizers::byte_level::ByteLevel as ByteLevelSplit;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

/// GGUF's token types whose text is never part of an answer: control (3) and unused (5).
const SILENT_TYPES: [u32; 2] = [3, 5];

/// Control tokens that end an answer, where the vocabulary has them.
const END_MARKS: [&str; 3] = ["<|im_end|>", "<|im_start|>", "<|endoftext|>"];

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// One control token, such as `<|im_start|>`. Only our template writes these.
    Mark(&'static str),
    /// Plain text. It never becomes a control token, even if it spells one.
    Text(String),
}

/// Text to tokens, and tokens to bytes.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    inner: tokenizers::Tokenizer,
    bytes: Vec<Box<[u8]>>,
    ends: Vec<u32>,
}

impl Tokenizer {
    /// Builds the tokenizer from the file's metadata.
    pub(crate) fn load(file: &Gguf) -> Result<Self, Failure> {
        let mut inner = tokenizers::Tokenizer::from_gguf(&file.content)?;
        // SmolLM splits digits before the byte-level step; the builder does not support this.
        if file
            .tokenizer("pre")
            .and_then(|v| v.to_string().ok())
            .map(String::as_str)
            == Some("smollm")
        {
            let steps = vec![
                Digits::new(true).into(),
                ByteLevelSplit::new(false, true, true).into(),
            ];
            inner.with_pre_tokenizer(Some(Sequence::new(steps)));
        }
        // A client that writes "<|im_end|>" gets these ten characters, not the end of its turn.
        inner.set_encode_special_tokens(true);

        let ends = END_MARKS
            .iter()
            .filter_map(|mark| inner.token_to_id(mark))
            .chain(file.token_id("eos_token_id"))
            .collect();
        Ok(Self {
            bytes: token_bytes(file)?,
            inner,
            ends,
        })
    }

    /// The tokens of a prompt.
    pub(crate) fn encode(&self, pieces: &[Piece]) -> Result<Vec<u32>, Failure> {
        let mut ids = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Mark(mark) => {
                    let id = self.inner.token_to_id(mark);
                    ids.push(id.ok_or_else(|| {
                        Failure::Unusable(format!("its vocabulary has no `{mark}`"))
                    })?);
                }
                Piece::Text(text) => {
                    let encoding = self
                        .inner
                        .encode_fast(text.as_str(), false)
                        .map_err(|error| Failure::Unusable(error.to_string()))?;
                    ids.extend_from_slice(encoding.get_ids());
                }
            }
        }
        Ok(ids)
    }

    /// The bytes that a token adds to the answer; none for a control token.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        usize::try_from(token)
            .ok()
            .and_then(|index| self.bytes.get(index))
            .map_or(&[], AsRef::as_ref)
    }

    /// Whether the answer ends with this token.
    pub(crate) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}

fn token_bytes(file: &Gguf) -> Result<Vec<Box<[u8]>>, Failure> {
    let array = |key: &str| {
        file.tokenizer(key)
            .and_then(|value| value.to_vec().ok())
            .ok_or_else(|| Failure::Unusable(format!("no valid `tokenizer.ggml.{key}`")))
    };
    let alphabet = ByteLevel::new();
    Ok(array("tokens")?
        .iter()
        .zip(array("token_type")?)
        .map(|(entry, kind)| {
            if SILENT_TYPES.contains(&token_type(kind)) {
                return Box::default();
            }
            entry
                .to_string()
                .map(|entry| alphabet.decode(entry))
                .unwrap_or_default()
        })
        .collect())
}

fn token_type(value: &Value) -> u32 {
    match value {
        Value::I32(kind) => u32::try_from(*kind).unwrap_or_default(),
        other => other.to_u32().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::disallowed_methods,
        reason = "a failed test should show the location, and it runs natively"
    )]

    use std::path::Path;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_token_counts_that_test_the_gateways_estimates_are_correct() {
        let model = std::env::var("CLAWLESS_TEST_MODEL")
            .expect("CLAWLESS_TEST_MODEL names the GGUF file of SmolLM2-135M-Instruct");
        let tokenizer = Tokenizer::load(&Gguf::open(Path::new(&model)).unwrap()).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clawless-llm/tests/estimates");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let counts: Value = serde_json::from_str(&read("counts.json")).unwrap();
        let counts = counts.as_object().unwrap();
        assert!(counts.len() >= 15);
        for (name, count) in counts {
            let tokens = tokenizer.encode(&[Piece::Text(read(name))]).unwrap();
            let recorded = count.get("small").and_then(Value::as_u64);
            assert_eq!(u64::try_from(tokens.len()).ok(), recorded, "{name}");
        }
    }
}
