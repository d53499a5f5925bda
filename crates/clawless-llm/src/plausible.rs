//! Usage that can be true.

use clawless_core::Usage;

/// The most tokens that one call can have used: a hundred times the largest context window there
/// is. A provider that tells more is broken or lies.
const MAX_TOKENS: u64 = 1_000_000_000;

/// A usage of these counts, or nothing where they cannot be true.
pub(crate) fn usage(prompt_tokens: u64, completion_tokens: u64) -> Option<Usage> {
    let possible = prompt_tokens <= MAX_TOKENS && completion_tokens <= MAX_TOKENS;
    possible.then(|| Usage::of(prompt_tokens, completion_tokens))
}
