//! The shapes of sessions: request bodies, and the objects in responses.

mod request;
mod response;

pub(crate) use request::present;
pub use request::{SessionBody, SessionChange, parse_change, parse_new};
pub use response::{Deleted, MessageObject, SessionExport, SessionObject, ToolExecutionObject};
