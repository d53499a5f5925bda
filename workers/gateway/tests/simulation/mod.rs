//! The parts of the simulation.

pub mod client;
pub mod dice;
pub mod gateway;
pub mod oracle;
pub mod provider;
pub mod world;
