//! The ledger in the gateway: the port that the stages ask, its client, and the Durable Object
//! behind it.
//!
//! What is decided stands in [`clawless_core::ledger`]; here is only how questions get there and
//! how the machine's rows stay on disk. `object` is the class that the runtime runs, `shell` is all
//! of it that needs no runtime, and so is tested natively.

mod object;
mod port;
mod remote;
mod rows;
pub mod shell;
pub mod work;

pub use object::TenantLedger;
pub use port::{Ledger, LedgerError, Question};
pub use remote::RemoteLedger;
