//! What the decoding thread is given to do.

use crate::chat::CallReader;
use crate::sampling::Sampling;

/// One decoding job.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) prompt: Vec<u32>,
    /// Most tokens of the answer.
    pub(crate) max_tokens: usize,
    pub(crate) stop: Vec<String>,
    pub(crate) sampling: Sampling,
    /// How tool calls are found in the answer, where tools were offered.
    pub(crate) calls: Option<CallReader>,
}
