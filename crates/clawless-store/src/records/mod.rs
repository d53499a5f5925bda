//! A tenant's rows as JSON objects that the database builds, for operators. Without a Rust type for
//! each table, the Worker that reads them stays small.
//!
//! Times are Unix times in seconds. Digests of keys are never included.

mod browse;
mod export;
mod record;
mod statements;

pub use browse::{messages, session, sessions};
pub use export::{RecordPosition, export};
pub use record::{InvalidPosition, Key, Record};

pub(crate) use statements::STATEMENTS;
