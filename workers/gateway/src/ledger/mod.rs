//! The ledger in the gateway: the Durable Object behind the port that the stages ask.
//!
//! What is decided stands in [`clawless_core::ledger`], and how questions get here in
//! [`clawless_edge::ledger`]; here is how the machine's rows stay on disk. `object` is the class that the runtime runs, `runtime` is all
//! of it that needs no runtime, and so is tested natively.

mod group_commit;
mod object;
mod rows;
pub mod runtime;
pub mod work;

pub use clawless_edge::ledger::{Ledger, LedgerError, Question, RemoteLedger};
pub use object::TenantLedger;
