//! The chat-completions wire: what comes in, checked once, and what goes out.

mod activity;
mod carried;
mod chunk;
mod content;
mod message;
mod options;
mod request;
mod response;
mod rules;
mod usage;

pub use activity::ToolActivity;
pub use chunk::ChunkWriter;
pub use content::{Content, ImageUrl, Part};
pub use message::{
    CustomView, FunctionView, InvalidMessage, Message, MessageView, Role, ToolCallView,
};
pub use options::{ChatOptions, ReasoningEffort, Stop, Verbosity};
pub(crate) use request::check_model;
pub use request::{ChatCompletionRequest, check_session_id};
pub use response::{ChatCompletionResponse, FinishReason};
pub(crate) use rules::check_metadata;
pub use usage::{CompletionDetails, PromptDetails, Usage};
