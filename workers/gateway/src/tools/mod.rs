//! Server tools: functions that a model may call inside the turn.
//!
//! A tool is one module here and one line in [`registry`]; the schema of its arguments is derived
//! from their type (`cargo test -p clawless-gateway --lib tools` says how to write it).

mod execute;
mod invoke;
#[cfg(any(test, feature = "test-faults"))]
mod misbehave;
mod registry;
#[cfg(test)]
mod schemas;
mod sessions_history;
mod sessions_list;
mod sessions_send;
mod text;
mod time_now;
mod tool;
mod toolbox;

pub use execute::execute;
pub use tool::{Tool, ToolContext, ToolError};
pub use toolbox::Toolbox;
