//! The ports and the configuration of a deployment: the [`Platform`] trait and its implementation
//! over the Worker's bindings.

pub mod binding_names;
pub mod bindings;
pub mod config;
#[cfg(feature = "test-faults")]
pub mod faults;
pub mod health;
pub mod memory;
pub mod model_aliases;
pub mod port;

pub use bindings::Bindings;
pub use config::Config;
pub use memory::Memory;
pub use port::{Platform, RateLimit};
