//! Which model answers, and what happens when it does not: decisions without I/O.

pub mod breaker;
pub mod classify;
mod demands;
mod fallback;
mod select;
mod vocabulary;

pub use classify::{QueryClass, classify};
pub use fallback::{ClassFallback, Fallback};
pub use select::{ESTIMATE_WITHIN, Needs, Policy, Reason, Selection, Unroutable, select_model};
