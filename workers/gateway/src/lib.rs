//! The gateway: the public Worker of Clawless.
//!
//! A request goes through the stages in this order, each a module of its own:
//! [`authenticate`] → parse ([`clawless_core::chat`]) → [`route`] → [`admit`] → [`prepare`] →
//! [`call`] → [`relay`] → [`commit`] → [`settle`]. [`router`] is the table of contents; [`sends`] is
//! the other way in, for what sessions tell each other.

pub mod admit;
pub mod allowance;
pub mod authenticate;
pub mod bindings;
pub mod call;
pub mod caller;
pub mod chat;
pub mod client;
pub mod commit;
pub mod config;
pub mod cors;
#[cfg(feature = "test-faults")]
pub mod faults;
pub mod forward;
pub mod health;
pub mod hot;
pub mod housekeeping;
pub mod idempotency;
pub mod ledger;
pub mod memory;
pub mod models;
pub mod page;
pub mod platform;
pub mod prepare;
pub mod relay;
pub mod resume;
pub mod rounds;
pub mod route;
pub mod router;
pub mod sends;
pub mod sessions;
pub mod settle;
pub mod tools;
pub mod turn;

use clawless_core::Clock;
use clawless_edge::d1::D1;
use clawless_edge::queue::EdgeQueue;
use clawless_edge::time::EdgeTime;
use clawless_edge::worker_entry;
pub use ledger::TenantLedger;
use worker::{
    Context, Env, MessageBatch, Request, Response, ScheduleContext, ScheduledEvent, event,
};

/// Every request comes in here.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    router::serve(request, env, context).await
}

/// The cron trigger: once an hour.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    worker_entry::start_logging(&env);
    let (database, queue) = (D1::new(env.d1(bindings::DB).ok()), EdgeQueue::new(&env));
    if let Err(error) = housekeeping::clean(&database, &queue, EdgeTime.now()).await {
        tracing::error!(
            internal = error.internal(),
            "the housekeeping waits for the next hour"
        );
    }
}

/// What the queue brings: messages from session to session. Each is answered for by itself; an error
/// would be a panic.
#[event(queue)]
async fn queue(batch: MessageBatch<String>, env: Env, context: Context) -> worker::Result<()> {
    worker_entry::start_logging(&env);
    sends::receive(&batch, env, context).await;
    Ok(())
}
