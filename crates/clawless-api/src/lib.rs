//! The client-facing surfaces of Clawless, as pure functions: bytes to validated domain requests,
//! domain values to response bodies and stream events. No I/O, no `await`.

pub mod activity;
pub mod admin;
mod answer_head;
pub mod body;
pub mod chat;
pub mod envelope;
pub mod fields;
pub mod list;
pub mod messages;
pub mod models;
pub mod parsed;
pub mod responses;
#[cfg(feature = "schema")]
mod schema;
pub mod sessions;
pub mod stored_message;
pub mod surface;
pub mod widget;
