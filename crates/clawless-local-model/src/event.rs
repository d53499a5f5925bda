//! The events of an answer, from the decoding thread to the client.

use crate::chat::ToolCall;

/// The events of an answer, in this order: any number of `Text` and `Call`, then one of the others.
#[derive(Debug)]
pub(crate) enum Event {
    Text(String),
    Call(ToolCall),
    Done(Finished),
    Failed(String),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished {
    pub(crate) stop: Stop,
    pub(crate) usage: Usage,
}

/// Tokens as the model counts them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) prompt: usize,
    /// The cached tokens of the prompt.
    pub(crate) cached: usize,
    pub(crate) completion: usize,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The model finished, or wrote a stop string.
    Natural,
    /// The token limit, or the end of the context window.
    Length,
    /// The model calls tools.
    ToolCalls,
}
