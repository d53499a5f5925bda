//! The conversation: messages, their content, completion requests and their options, usage.

mod blocks;
mod content;
mod finish_reason;
mod message;
mod options;
mod request;
mod role;
mod rules;
mod stop;
mod tool_calls;
mod turn_options;
mod usage;
mod view;

pub use blocks::{Block, InvalidBlock, Untranslatable};
pub use content::{Content, ImageUrl, Part};
pub use finish_reason::FinishReason;
pub use message::Message;
pub use options::{ChatOptions, ReasoningEffort, ThinkingMode, Verbosity};
pub use request::CompletionRequest;
pub use role::Role;
pub use rules::check_metadata;
pub use stop::Stop;
pub use tool_calls::{MessageCustom, MessageFunction, MessageToolCall, message_calls};
pub use turn_options::{Storing, TurnOptions};
pub use usage::{CompletionDetails, PromptDetails, Usage};
pub use view::{CustomView, FunctionView, InvalidMessage, MessageView, ToolCallView};
