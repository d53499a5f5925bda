//! The shapes of sessions: request bodies, and the objects in responses.

mod request;
mod response;

pub use request::{parse_change, parse_new};
pub use response::{Deleted, MessageObject, SessionObject, ToolExecutionObject};
