//! Access to the Workers runtime: adapters for the ports, inbound HTTP, logging.
//!
//! No other library depends on `worker`, and no `worker::Error` leaves this one.

pub mod ai;
pub mod build_stamp;
mod crossing;
pub mod d1;
pub mod entropy;
pub mod fetch;
pub mod health;
pub mod http;
pub mod kv;
pub mod ledger;
pub mod logging;
pub mod promise;
pub mod queue;
pub mod request_time;
pub mod signature;
pub mod tasks;
pub mod time;

// Old paths, until every module of the gateway imports from `http`.
pub use http::{request, response};
