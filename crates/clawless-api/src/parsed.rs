//! The result of parsing a body.

use std::borrow::Cow;

use clawless_core::chat::CompletionRequest;

/// A parsed body; `R` is the rendering of its surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed<R> {
    /// The request.
    pub request: CompletionRequest,
    /// How its answer is rendered.
    pub rendering: R,
    /// The parameters that are ignored, which the response names.
    pub ignored: Vec<Cow<'static, str>>,
}

impl<R> Parsed<R> {
    /// The same with another rendering.
    pub fn map<S>(self, rendering: impl FnOnce(R) -> S) -> Parsed<S> {
        Parsed {
            request: self.request,
            rendering: rendering(self.rendering),
            ignored: self.ignored,
        }
    }
}
