//! The shapes of the admin API: request bodies, and the objects in responses. Times are in seconds
//! since 1970 (UTC).

pub mod audit;
mod fields;
pub mod keys;
mod merge_patch;
pub mod offered_models;
pub mod records;
pub mod tenants;
pub mod tokens;
pub mod usage;
pub mod widgets;
