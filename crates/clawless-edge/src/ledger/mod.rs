//! Access to the tenants' ledgers: the port, and its client over the gateway's Durable Objects.

mod erase;
mod port;
mod remote;

pub use erase::EraseError;
pub use port::{Ledger, LedgerError, LedgerRequest};
pub use remote::{LEDGER, RemoteLedger};
