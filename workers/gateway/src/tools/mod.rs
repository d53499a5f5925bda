//! Server tools: what a model may have done inside the turn.
//!
//! A tool is one file here and one line in the registry below; the schema of its arguments is
//! derived from their type (`cargo test -p clawless-gateway --lib tools` says how to write it).

mod execute;
mod registry;
#[cfg(test)]
mod schemas;
mod tool;

use registry::registry;

registry! {
    /// Fails as it is told, for tests.
    #[cfg(any(test, feature = "test-faults"))]
    misbehave::Misbehave,
    /// What was said in a session.
    sessions_history::SessionsHistory,
    /// The tenant's sessions.
    sessions_list::SessionsList,
    /// A message to another session.
    sessions_send::SessionsSend,
    /// The present moment.
    time_now::TimeNow,
}

pub use execute::execute;
pub use registry::Toolbox;
pub use tool::{Failure, Tool, ToolContext};
