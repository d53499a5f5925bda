//! The conversation: messages, their content, completion requests and their options, usage.

mod content;
mod finish_reason;
mod message;
mod options;
mod request;
mod rules;
mod stop;
mod tool_calls;
mod usage;

pub use content::{Content, ImageUrl, Part};
pub use finish_reason::FinishReason;
pub use message::{
    CustomView, FunctionView, InvalidMessage, Message, MessageView, Role, ToolCallView,
};
pub use options::{ChatOptions, ReasoningEffort, Verbosity};
pub use request::CompletionRequest;
pub use rules::check_metadata;
pub use stop::Stop;
pub use tool_calls::{MessageCustom, MessageFunction, MessageToolCall, message_calls};
pub use usage::{CompletionDetails, PromptDetails, Usage};
