//! `/v1/sessions`: the conversations that the server stores.
//!
//! The table checks scope and rate limit; none of these routes costs tokens. A change of a session
//! gets a new head and makes the ledger forget the old one, so that the next turn reads the database.
//! A session of another tenant gives the response of one that never existed.

mod change;
mod export;
pub(super) mod find;
mod list;
mod message_object;
mod messages;
mod show;
pub(super) mod stale;
mod tool_executions;

pub(super) use change::{change_settings, remove};
pub use change::{create, delete, reset, update};
pub use export::export;
pub use list::list;
pub use messages::{delete as delete_message, list as list_messages};
pub use show::show;
pub use tool_executions::list as list_tool_executions;
