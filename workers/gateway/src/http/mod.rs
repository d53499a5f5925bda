//! The routes of the gateway beside chat: sessions, models, usage, health, documentation and the other Workers.

pub mod completions;
pub mod conversations;
pub mod cors;
mod count;
#[cfg(feature = "schema")]
mod description;
#[cfg(feature = "test-faults")]
pub mod faults;
pub mod forward;
pub mod health;
mod items;
pub mod messages;
pub mod models;
pub mod responses;
pub mod resume;
pub mod service;
pub mod sessions;
pub mod usage;
pub mod widget;
