//! Why a model stopped.

use serde::{Deserialize, Serialize};

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done, or met a stop text.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The model wants tools to run.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// The model wants a function to run, in the older form.
    FunctionCall,
}

impl FinishReason {
    /// The reason's name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::FunctionCall => "function_call",
        }
    }
}
