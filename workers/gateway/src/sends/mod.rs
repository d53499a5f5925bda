//! Messages from session to session, on the receiving side.
//!
//! The queue delivers the name of a message at least once. A try claims the message in the database
//! and runs a turn of the receiving session like any other request: with the session's lane and
//! model, and the limits and scopes of the key that sent it. The transaction that stores the turn
//! ends the message. So it is delivered once, however often the queue delivers it and wherever a
//! try is aborted: a message that has not ended is claimed again once the ledger knows that its last
//! try has ended.

pub mod deliver;
pub mod maintenance;
pub mod queue;
