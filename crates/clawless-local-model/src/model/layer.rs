//! One block of the network: grouped-query attention, then a gated feed-forward.

use super::gguf::Gguf;
use super::kv_cache::KvCache;
use super::rope::Rope;
use super::weight::Weight;
use crate::error::Failure;
use candle_core::{Device, Result, Tensor};

/// The sizes that all layers share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub(crate) kv_heads: usize,
    /// Numbers in a head.
    pub(crate) head: usize,
    /// Prevents a division by zero in the norm.
    pub(crate) epsilon: f32,
}

/// One block with its cache.
#[derive(Debug)]
pub(crate) struct Layer {
    sizes: Sizes,
    attention_norm: Tensor,
    query: Weight,
    key: Weight,
    value: Weight,
    output: Weight,
    feed_norm: Tensor,
    gate: Weight,
    up: Weight,
    down: Weight,
    cache: KvCache,
}

impl Layer {
    /// Reads block `index` from the file.
    pub(crate) fn load(
        file: &mut Gguf,
        index: usize,
        sizes: Sizes,
    ) -> std::result::Result<Self, Failure> {
        let name = |part: &str| format!("blk.{index}.{part}");
        Ok(Self {
            sizes,
            attention_norm: load_norm(file, &name("attn_norm.weight"))?,
            query: Weight::load(file, &name("attn_q"))?,
            key: Weight::load(file, &name("attn_k"))?,
            value: Weight::load(file, &name("attn_v"))?,
            output: Weight::load(file, &name("attn_output"))?,
            feed_norm: load_norm(file, &name("ffn_norm.weight"))?,
            gate: Weight::load(file, &name("ffn_gate"))?,
            up: Weight::load(file, &name("ffn_up"))?,
            down: Weight::load(file, &name("ffn_down"))?,
            cache: KvCache::default(),
        })
    }

    /// `input` is `(tokens, width)`; `mask` is `(tokens, all tokens)`, needed for more than one token.
    pub(crate) fn forward(
        &mut self,
        input: &Tensor,
        rope: &Rope,
        position: usize,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let epsilon = self.sizes.epsilon;
        let normed = candle_nn::ops::rms_norm(input, &self.attention_norm, epsilon)?;
        let input = (self.attend(&normed, rope, position, mask)? + input)?;
        let normed = candle_nn::ops::rms_norm(&input, &self.feed_norm, epsilon)?;
        let gated = (self.gate.forward(&normed)?.silu()? * self.up.forward(&normed)?)?;
        self.down.forward(&gated)? + input
    }

    /// Removes all tokens from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
    }

    fn attend(
        &mut self,
        input: &Tensor,
        rope: &Rope,
        position: usize,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let Sizes {
            heads,
            kv_heads,
            head,
            ..
        } = self.sizes;
        let tokens = input.dim(0)?;
        let by_head = |flat: Tensor, count: usize| {
            flat.reshape((1, tokens, count, head))?
                .transpose(1, 2)?
                .contiguous()
        };
        let query = rope.apply(&by_head(self.query.forward(input)?, heads)?, position)?;
        let key = rope.apply(&by_head(self.key.forward(input)?, kv_heads)?, position)?;
        let value = by_head(self.value.forward(input)?, kv_heads)?;
        let (keys, values) = self.cache.append(&key.squeeze(0)?, &value.squeeze(0)?)?;

        // Query heads that share a key head are adjacent: one product computes them all.
        let group = heads / kv_heads;
        let query = query.reshape((kv_heads, group * tokens, head))?;
        #[allow(
            clippy::cast_precision_loss,
            reason = "a head has some hundred numbers"
        )]
        let scale = 1.0 / (head as f64).sqrt();
        let mut scores = (query.matmul(&keys.t()?)? * scale)?;
        if let Some(mask) = mask {
            let all = keys.dim(1)?;
            scores = scores
                .reshape((kv_heads, group, tokens, all))?
                .broadcast_add(mask)?
                .reshape((kv_heads, group * tokens, all))?;
        }
        let weights = candle_nn::ops::softmax_last_dim(&scores)?;
        let mixed = weights
            .matmul(&values)?
            .reshape((heads, tokens, head))?
            .transpose(0, 1)?
            .reshape((tokens, heads * head))?;
        self.output.forward(&mixed)
    }
}

/// Reads a norm's weight as plain numbers.
pub(crate) fn load_norm(file: &mut Gguf, name: &str) -> std::result::Result<Tensor, Failure> {
    Ok(file.tensor(name)?.dequantize(&Device::Cpu)?)
}
