//! From messages to a prompt, and from an answer to tool calls.

mod call_reader;
mod template;
mod tool_call;
mod tools;

pub(crate) use call_reader::CallReader;
pub(crate) use template::{Message, Role, prompt};
pub(crate) use tool_call::ToolCall;
pub(crate) use tools::{Tool, ToolChoice};
