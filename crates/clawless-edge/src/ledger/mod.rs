//! The tenants' ledgers as Workers reach them: the port that they ask, and its client over the
//! Durable Objects of the gateway.

mod port;
mod remote;

pub use port::{Ledger, LedgerError, Question};
pub use remote::RemoteLedger;
