//! One tenant's ledger, its gateways, its database and its clock, driven by a seed.

pub mod database;
pub mod disk;
pub mod gateway;
pub mod hearing;
pub mod oracle;
pub mod prng;
pub mod world;
