//! Limits of one response.

/// The most answers to one request (`n`), and the most tool calls of one answer. More is an error:
/// each costs memory.
pub(super) const MAX_PARALLEL: u32 = 128;
