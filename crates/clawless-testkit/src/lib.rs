//! Test doubles for the ports of Clawless, as close to the real thing as they can be: `SQLite` on
//! the very migrations that D1 gets and under D1's limits, a cache that ages by the test's clock,
//! time that stands still until a test moves it, and randomness that repeats.
//!
//! Only a dev-dependency of other crates.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "test code: what cannot be set up must stop the test"
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
pub use kv::{MemoryKv, Weather};
pub use migrations::{Migration, migrations};
pub use sqlite::{Fault, SqliteDatabase};
pub use timer::{InstantTimer, ManualTimer};
