//! Usage that can be true.

use clawless_core::Usage;

/// The most tokens that one call can use: a hundred times the largest context window there is. A
/// provider that reports more is broken or lies.
const MAX_TOKENS: u64 = 1_000_000_000;

/// A usage of these counts, or nothing where they cannot be true: no request is empty.
pub(crate) fn usage(prompt_tokens: u64, completion_tokens: u64) -> Option<Usage> {
    let is_possible =
        prompt_tokens > 0 && prompt_tokens <= MAX_TOKENS && completion_tokens <= MAX_TOKENS;
    is_possible.then(|| Usage::of(prompt_tokens, completion_tokens))
}
