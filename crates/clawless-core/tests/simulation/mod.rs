//! Simulation of one tenant's ledger with gateways, database and clock, driven by a seed.

pub mod database;
pub mod gateway;
pub mod harness;
pub mod model;
pub mod object;
pub mod observe;
pub mod prng;
