//! The tokens in the network's cache, so that only the rest of the next prompt is evaluated.
//!
//! A prompt is evaluated in blocks of [`BLOCK`] tokens at multiples of [`BLOCK`], and only whole
//! blocks are reused. So the same kernels compute each value on the same shapes with and without the
//! cache, and a seed always gives the same answer. Tokens of an answer are computed one by one and
//! are evaluated again as part of the next prompt.

/// Tokens in a block: enough to use the wide kernels, few enough to detect a disconnect soon.
pub(crate) const BLOCK: usize = 64;

/// The whole blocks in the network's cache.
#[derive(Debug, Default)]
pub(crate) struct PrefixCache {
    tokens: Vec<u32>,
}

impl PrefixCache {
    /// The number of tokens of `prompt` in the cache. At least one is always left to evaluate.
    pub(crate) fn reusable(&self, prompt: &[u32]) -> usize {
        let common = self
            .tokens
            .iter()
            .zip(prompt)
            .take_while(|(ours, theirs)| ours == theirs)
            .count();
        let whole = common - common % BLOCK;
        if whole == prompt.len() {
            whole.saturating_sub(BLOCK)
        } else {
            whole
        }
    }

    /// Removes all tokens from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.tokens.truncate(len);
    }

    /// Records an evaluated block; a partial block is ignored.
    pub(crate) fn extend(&mut self, block: &[u32]) {
        if block.len() == BLOCK && self.tokens.len().is_multiple_of(BLOCK) {
            self.tokens.extend_from_slice(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_of(tokens: &[u32]) -> PrefixCache {
        let mut cache = PrefixCache::default();
        for block in tokens.chunks(BLOCK) {
            cache.extend(block);
        }
        cache
    }

    #[test]
    fn only_whole_blocks_are_reused() {
        let prompt: Vec<u32> = (0..150).collect();
        let cache = cache_of(&prompt);
        assert_eq!(cache.reusable(&prompt), 128);
        assert_eq!(cache.reusable(&prompt[..100]), 64);
    }

    #[test]
    fn the_last_block_is_evaluated_again_if_the_whole_prompt_is_cached() {
        let prompt: Vec<u32> = (0..128).collect();
        assert_eq!(cache_of(&prompt).reusable(&prompt), 64);
        assert_eq!(cache_of(&prompt).reusable(&prompt[..64]), 0);
    }

    #[test]
    fn another_prompt_reuses_the_common_prefix() {
        let mut other: Vec<u32> = (0..150).collect();
        let cache = cache_of(&other);
        other[70] = 9_999;
        assert_eq!(cache.reusable(&other), 64);
        other[0] = 9_999;
        assert_eq!(cache.reusable(&other), 0);
    }
}
