//! Which model answers, and what happens when it does not: decisions without I/O.

pub mod backoff;
pub mod breaker;
