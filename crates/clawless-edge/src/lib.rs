//! Where Clawless meets the Workers runtime: adapters for the ports, HTTP answers, logging.
//!
//! No other library names `worker`, and no `worker::Error` leaves this one.

pub mod ai;
mod crossing;
pub mod d1;
pub mod entropy;
pub mod http;
pub mod kv;
pub mod ledger;
pub mod logging;
pub mod queue;
pub mod request;
pub mod response;
pub mod routes;
pub mod time;
pub mod worker_entry;
