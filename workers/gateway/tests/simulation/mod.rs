//! The parts of the simulation.

pub mod client;
pub mod gateway;
pub mod invariants;
pub mod provider;
pub mod random;
pub mod world;
