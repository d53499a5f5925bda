//! The ports that the steps of a request use, as one trait.

use std::rc::Rc;

use clawless_core::time::Timer;
use clawless_core::{Clock, Entropy};
use clawless_edge::ledger::Ledger;
use clawless_edge::queue::Queue;
use clawless_llm::Http;
use clawless_store::{Kv, Sql};
use futures_util::future::LocalBoxFuture;

use super::config::Config;
use super::memory::Memory;

/// A limit of requests a minute, counted near the client without storage. It is approximate: the ledger
/// has the exact ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// Wrong API keys of an address.
    KeyGuesses,
    /// Sessions of the widget that an address opens with one key.
    WidgetSessions,
    /// Messages of a visitor.
    VisitorMessages,
    /// Other requests of a visitor.
    VisitorRequests,
}

/// The ports and the configuration of one request. The Worker implements it over its bindings, the
/// native tests over the testkit.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Platform: 'static {
    /// The relational database.
    type Sql: Sql;
    /// The key-value store.
    type Kv: Kv;
    /// Outgoing HTTP.
    type Http: Http;
    /// The clock and the timer.
    type Time: Clock + Timer + Clone + 'static;
    /// Randomness.
    type Entropy: Entropy;
    /// The tenants' ledgers.
    type Ledger: Ledger;
    /// The queue of messages between sessions.
    type Queue: Queue;

    /// The relational database.
    fn sql(&self) -> &Self::Sql;
    /// The key-value store.
    fn kv(&self) -> &Self::Kv;
    /// Outgoing HTTP.
    fn http(&self) -> &Self::Http;
    /// The clock and the timer.
    fn time(&self) -> &Self::Time;
    /// Randomness.
    fn entropy(&self) -> &Self::Entropy;
    /// The tenants' ledgers.
    fn ledger(&self) -> &Self::Ledger;
    /// The queue of messages between sessions.
    fn queue(&self) -> &Self::Queue;
    /// The memory of this isolate.
    fn memory(&self) -> &Memory;
    /// Counts a request of a subject; `false` once it has made too many.
    async fn is_within(&self, limit: RateLimit, subject: &str) -> bool;
    /// The configuration.
    fn config(&self) -> &Rc<Config>;
    /// Runs a task that outlives the response and the client.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);
}
