//! Rotary position embedding.

use candle_core::{Device, Result, Tensor};

/// How a head's numbers are paired for the rotation; it depends on how the weights were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// Neighbours (`llama` files).
    Neighbours,
    /// The first half with the second (`qwen2` files).
    Halves,
}

/// The cosines and sines of every position in the window.
#[derive(Debug)]
pub(crate) struct Rope {
    cos: Tensor,
    sin: Tensor,
    pairing: Pairing,
}

impl Rope {
    /// Tables for `window` positions and heads of `head` numbers.
    pub(crate) fn new(window: usize, head: usize, base: f32, pairing: Pairing) -> Result<Self> {
        #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^24")]
        let frequencies: Vec<f32> = (0..head)
            .step_by(2)
            .map(|i| base.powf(-(i as f32) / head as f32))
            .collect();
        #[allow(clippy::cast_precision_loss, reason = "positions are far below 2^24")]
        let angles: Vec<f32> = (0..window)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f))
            .collect();
        let angles = Tensor::from_vec(angles, (window, head / 2), &Device::Cpu)?;
        Ok(Self {
            cos: angles.cos()?,
            sin: angles.sin()?,
            pairing,
        })
    }

    /// Rotates `(1, heads, tokens, head size)`, whose first token is at `position`.
    pub(crate) fn apply(&self, heads: &Tensor, position: usize) -> Result<Tensor> {
        let tokens = heads.dim(2)?;
        let cos = self.cos.narrow(0, position, tokens)?;
        let sin = self.sin.narrow(0, position, tokens)?;
        match self.pairing {
            Pairing::Neighbours => candle_nn::rotary_emb::rope_i(heads, &cos, &sin),
            Pairing::Halves => candle_nn::rotary_emb::rope(heads, &cos, &sin),
        }
    }
}
