//! Usage that can be true.

use clawless_core::Usage;

/// The most tokens that one call can have used: a hundred times the largest context window there
/// is. A provider that tells more is broken or lies.
const MOST: u64 = 1_000_000_000;

/// A usage of these counts, or nothing where they cannot be true.
pub(crate) fn usage(prompt_tokens: u64, completion_tokens: u64) -> Option<Usage> {
    let possible = prompt_tokens <= MOST && completion_tokens <= MOST;
    possible.then(|| Usage::of(prompt_tokens, completion_tokens))
}
