//! Which tokens the network's cache holds, so that the next prompt need not be read from its start.
//!
//! A prompt is read in blocks of [`BLOCK`] tokens at multiples of [`BLOCK`], and only whole blocks are
//! used again. So each number is computed by the same kernels on the same shapes whether or not the
//! cache helped, and one seed gives one answer. Tokens of an answer were computed one by one and are
//! read again as part of the next prompt.

/// Tokens read at once: enough to use the wide kernels, few enough to notice soon that a client left.
pub(crate) const BLOCK: usize = 64;

/// The whole blocks in the network's cache.
#[derive(Debug, Default)]
pub(crate) struct PrefixCache {
    tokens: Vec<u32>,
}

impl PrefixCache {
    /// How many tokens of `prompt` are in the cache already; at least one is always left to read.
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

    /// Forgets all from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.tokens.truncate(len);
    }

    /// Remembers a block that was read; a part of a block is not remembered.
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
    fn only_whole_blocks_are_used_again() {
        let prompt: Vec<u32> = (0..150).collect();
        let cache = cache_of(&prompt);
        assert_eq!(cache.reusable(&prompt), 128);
        assert_eq!(cache.reusable(&prompt[..100]), 64);
    }

    #[test]
    fn the_last_block_is_read_again_when_the_whole_prompt_is_known() {
        let prompt: Vec<u32> = (0..128).collect();
        assert_eq!(cache_of(&prompt).reusable(&prompt), 64);
        assert_eq!(cache_of(&prompt).reusable(&prompt[..64]), 0);
    }

    #[test]
    fn another_prompt_shares_what_is_equal() {
        let mut other: Vec<u32> = (0..150).collect();
        let cache = cache_of(&other);
        other[70] = 9_999;
        assert_eq!(cache.reusable(&other), 64);
        other[0] = 9_999;
        assert_eq!(cache.reusable(&other), 0);
    }
}
