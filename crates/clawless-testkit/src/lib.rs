//! Test doubles for the ports: `SQLite` with D1's migrations and limits, an in-memory cache, clocks
//! and timers that tests control, seeded randomness and a scripted provider.
//!
//! Only a dev-dependency of other crates.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "test code: a failed setup must stop the test"
)]

mod clock;
mod entropy;
mod kv;
mod migrations;
pub mod provider;
mod sqlite;
mod timer;

pub use clock::FixedClock;
pub use entropy::SeededEntropy;
pub use futures_executor::block_on;
pub use kv::{KvMode, MemoryKv};
pub use migrations::{Migration, migrations};
pub use sqlite::{Fault, SqliteDatabase};
pub use timer::{InstantTimer, ManualTimer};
