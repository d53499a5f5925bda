//! The tenants' ledgers as Workers reach them: the port that they ask, and its client over the
//! Durable Objects of the gateway.

mod erase;
mod port;
mod remote;

pub use erase::EraseError;
pub use port::{Ledger, LedgerError, Question};
pub use remote::RemoteLedger;
