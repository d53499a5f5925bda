//! The format of an answer.

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    /// One JSON body.
    Whole {
        /// Whether the body has a `status`, which says whether the answer is complete.
        with_status: bool,
    },
    /// A stream of events.
    Stream {
        /// Whether the stream ends with its usage.
        include_usage: bool,
    },
}

impl AnswerFormat {
    /// Whether this is a stream.
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Stream { .. })
    }
}
