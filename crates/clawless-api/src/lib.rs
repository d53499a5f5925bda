//! The client-facing surfaces of Clawless, as pure functions: bytes to validated requests of the
//! domain, domain values to response bodies and events. No I/O, no `await`.

pub mod body;
pub mod chat;
pub mod fields;
pub mod models;
pub mod sessions;
