//! The format of an answer.

use clawless_api::surface::Rendering;

/// How an answer is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerFormat {
    /// How it is rendered.
    pub rendering: Rendering,
    /// Whether it is a stream of events or one JSON body.
    pub is_stream: bool,
}
