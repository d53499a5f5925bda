//! The client-facing surfaces of Clawless, as pure functions: bytes to validated domain requests,
//! domain values to response bodies and stream events. No I/O, no `await`.

pub mod admin;
pub mod body;
pub mod chat;
pub mod envelope;
pub mod fields;
pub mod list;
pub mod models;
pub mod sessions;
