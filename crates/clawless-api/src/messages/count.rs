//! The answer of `POST /v1/messages/count_tokens`.

use clawless_core::Tokens;
use serde::Serialize;

/// The tokens of a request's input.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenCount {
    /// The tokens.
    input_tokens: Tokens,
}

impl TokenCount {
    /// A count.
    pub const fn new(input_tokens: Tokens) -> Self {
        Self { input_tokens }
    }
}
