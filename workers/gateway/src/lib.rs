//! The gateway: the public Worker of Clawless.
//!
//! A request goes through the stages in this order, each a module of its own:
//! [`authenticate`] → parse ([`clawless_core::chat`]) → [`route`] → [`admit`] → [`prepare`] →
//! [`call`] → [`relay`] → [`commit`] → [`settle`]. [`routes`] is the table of routes; [`sends`] is
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
#[cfg(feature = "test-faults")]
pub mod faults;
pub mod hot;
pub mod housekeeping;
pub mod http;
pub mod idempotency;
pub mod ledger;
pub mod memory;
pub mod platform;
pub mod prepare;
pub mod relay;
pub mod resume;
pub mod rounds;
pub mod route;
pub mod routes;
pub mod sends;
pub mod settle;
pub mod tools;
pub mod turn;

use clawless_core::Clock;
use clawless_edge::d1::D1;
use clawless_edge::queue::EdgeQueue;
use clawless_edge::time::EdgeTime;
use clawless_edge::{http as edge_http, logging};
pub use ledger::TenantLedger;
use worker::{
    Context, Env, MessageBatch, Request, Response, ScheduleContext, ScheduledEvent, event,
};

/// HTTP requests.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edge_http::serve(&routes::ROUTES, request, env, context).await
}

/// The cron trigger: once an hour.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    logging::start(&env);
    let (database, queue) = (D1::new(env.d1(bindings::DB).ok()), EdgeQueue::new(&env));
    if let Err(error) = housekeeping::clean(&database, &queue, EdgeTime.now()).await {
        tracing::error!(internal = error.internal(), "housekeeping failed");
    }
}

/// The queue's messages from session to session. Each is acknowledged or retried by itself: the
/// event turns an error into a panic.
#[event(queue)]
async fn queue(batch: MessageBatch<String>, env: Env, context: Context) -> worker::Result<()> {
    logging::start(&env);
    sends::receive(&batch, env, context).await;
    Ok(())
}
