//! From messages to a prompt, and from an answer to tool calls.

mod call_reader;
mod template;
mod tools;

pub(crate) use call_reader::{CallReader, ToolCall};
pub(crate) use template::{Message, Role, prompt};
pub(crate) use tools::{Tool, ToolChoice};
