//! What the stages need of the world, as one value.

use std::rc::Rc;

use clawless_core::time::Timer;
use clawless_core::{Clock, Entropy};
use clawless_llm::Http;
use clawless_store::{Kv, Sql};
use futures_util::future::LocalBoxFuture;

use crate::config::Config;

/// The ports and the configuration of one request. The Worker has one over its bindings, the
/// native tests one over the testkit.
pub trait Platform: 'static {
    /// The relational database.
    type Sql: Sql;
    /// The key-value store.
    type Kv: Kv;
    /// Outgoing HTTP.
    type Http: Http;
    /// The time, and waiting for it to pass.
    type Time: Clock + Timer + Clone + 'static;
    /// Randomness.
    type Entropy: Entropy;

    /// The relational database.
    fn sql(&self) -> &Self::Sql;
    /// The key-value store.
    fn kv(&self) -> &Self::Kv;
    /// Outgoing HTTP.
    fn http(&self) -> &Self::Http;
    /// The time, and waiting for it to pass.
    fn time(&self) -> &Self::Time;
    /// Randomness.
    fn entropy(&self) -> &Self::Entropy;
    /// The configuration.
    fn config(&self) -> &Rc<Config>;
    /// Runs a task that outlives the answer, and the client.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);
}
