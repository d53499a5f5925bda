//! The operator's commands, as a client of the admin API over HTTP.
//!
//! This crate depends on no other crate of the product, so operators can install it alone. The local
//! stack is found by the files that `cargo xtask dev` writes.

pub mod admin;
mod client;
mod connection;
pub mod keys;
mod settings;
mod span;
mod table;
mod visible;
