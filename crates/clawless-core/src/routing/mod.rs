//! Model routing without I/O: which model answers, and what happens when it fails.

pub mod breaker;
pub mod classify;
mod demands;
pub mod fallback;
pub mod select;
mod vocabulary;

pub use classify::{QueryClass, classify};
pub use fallback::{ClassFallback, Fallback};
pub use select::{MAX_OVERESTIMATE, Needs, Policy, Reason, Selection, Unroutable, select_model};
