//! The whole network, for the `qwen2` and `llama` architectures.

use super::gguf::Gguf;
use super::layer::{Layer, Sizes, load_norm};
use super::rope::{Pairing, Rope};
use super::weight::Weight;
use crate::error::Failure;
use candle_core::quantized::QTensor;
use candle_core::{Device, Result, Tensor};
use std::sync::Arc;

/// A loaded model with the cache of its evaluated tokens.
#[derive(Debug)]
pub(crate) struct Transformer {
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    norm: Tensor,
    epsilon: f32,
    output: Weight,
    rope: Rope,
    window: usize,
    seen: usize,
}

impl Transformer {
    /// Reads the weights. The window is the model's own or `most_tokens`, whichever is smaller.
    pub(crate) fn load(file: &mut Gguf, most_tokens: usize) -> std::result::Result<Self, Failure> {
        let pairing = match file.architecture() {
            "qwen2" => Pairing::Halves,
            "llama" => Pairing::Neighbours,
            other => {
                return Err(Failure::Unusable(format!(
                    "its architecture is `{other}`; this server runs qwen2 and llama"
                )));
            }
        };
        let heads = file.size("attention.head_count")?;
        let kv_heads = file.size("attention.head_count_kv").unwrap_or(heads);
        let width = file.size("embedding_length")?;
        if kv_heads == 0 || heads == 0 || heads % kv_heads != 0 || width % heads != 0 {
            return Err(Failure::Unusable("its head counts do not divide".into()));
        }
        let sizes = Sizes {
            heads,
            kv_heads,
            head: width / heads,
            epsilon: file.float("attention.layer_norm_rms_epsilon")?,
        };
        let window = file.size("context_length")?.min(most_tokens);
        let base = file.float("rope.freq_base").unwrap_or(10_000.0);

        // The embedding stays quantised: only the rows of a prompt's tokens are unpacked.
        let embedding = Arc::new(file.tensor("token_embd.weight")?);
        let output = if file.has_tensor("output.weight") {
            Weight::for_one_token(Arc::new(file.tensor("output.weight")?))?
        } else {
            Weight::for_one_token(Arc::clone(&embedding))?
        };
        let layers = (0..file.size("block_count")?)
            .map(|index| Layer::load(file, index, sizes))
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            embedding,
            layers,
            norm: load_norm(file, "output_norm.weight")?,
            epsilon: sizes.epsilon,
            output,
            rope: Rope::new(window, sizes.head, base, pairing)?,
            window,
            seen: 0,
        })
    }

    /// The most tokens that prompt and answer may have together.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// Removes all tokens from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.seen = self.seen.min(len);
        for layer in &mut self.layers {
            layer.truncate(len);
        }
    }

    /// Evaluates `tokens` after the cached ones and returns the scores of the next token.
    pub(crate) fn forward(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let hidden = self.absorb(tokens)?;
        let last = hidden.narrow(0, tokens.len().saturating_sub(1), 1)?;
        let normed = candle_nn::ops::rms_norm(&last.contiguous()?, &self.norm, self.epsilon)?;
        self.output.forward(&normed)?.squeeze(0)?.to_vec1()
    }

    /// Evaluates `tokens` into the cache without computing scores.
    pub(crate) fn absorb(&mut self, tokens: &[u32]) -> Result<Tensor> {
        let position = self.seen;
        if position + tokens.len() > self.window {
            candle_core::bail!("the context window of {} tokens is full", self.window);
        }
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let mut hidden = self.embedding.embedding(&ids)?;
        let mask = (tokens.len() > 1)
            .then(|| causal_mask(tokens.len(), position))
            .transpose()?;
        for layer in &mut self.layers {
            hidden = layer.forward(&hidden, &self.rope, position, mask.as_ref())?;
        }
        self.seen += tokens.len();
        Ok(hidden)
    }
}

/// `(tokens, position + tokens)`: 0 at visible tokens, minus infinity at later ones.
fn causal_mask(tokens: usize, position: usize) -> Result<Tensor> {
    let all = position + tokens;
    let mask: Vec<f32> = (0..tokens)
        .flat_map(|row| {
            (0..all).map(move |column| {
                if column <= position + row {
                    0.0
                } else {
                    f32::NEG_INFINITY
                }
            })
        })
        .collect();
    Tensor::from_vec(mask, (tokens, all), &Device::Cpu)
}
