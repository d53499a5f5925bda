//! The ledger's Durable Object: [`clawless_core::ledger`] decides, and this module keeps the
//! machine's rows on disk.
//!
//! `object` is the class that the platform runs. The other modules do not depend on the platform
//! and are tested natively: `machine` keeps the decisions durable, `group_commit` commits waiting
//! inputs together, `runtime` lets turns wait for their session, and `background` does the work of
//! the alarm.

pub mod background;
pub mod group_commit;
pub mod machine;
pub mod object;
mod rows;
pub mod runtime;
