//! Limits of one response.

/// The maximum number of choices (`n`), and of tool calls per choice. Larger responses are errors,
/// because each item uses memory.
pub(super) const MAX_PARALLEL: u32 = 128;
