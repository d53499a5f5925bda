//! The gateway: the public Worker of Clawless.
//!
//! [`chat::pipeline`] lists the steps of a chat request in order. [`routes`] is the table of routes.
//! [`sends`] delivers messages between sessions from the queue.

pub mod access;
pub mod authenticate;
pub mod caller;
pub mod chat;
pub mod housekeeping;
pub mod http;
pub mod ledger;
pub mod platform;
pub mod retention;
pub mod routes;
pub mod routing;
pub mod sends;
pub mod tools;

use clawless_core::Clock;
use clawless_edge::d1::D1;
use clawless_edge::kv::EdgeKv;
use clawless_edge::ledger::RemoteLedger;
use clawless_edge::queue::EdgeQueue;
use clawless_edge::request_time::RequestTime;
use clawless_edge::time::EdgeTime;
use clawless_edge::{http as edge_http, logging};
pub use ledger::object::TenantLedger;
use platform::binding_names::{CACHE, DB};
use retention::Cleanup;
use worker::web_sys::{Request, Response};
use worker::{Context, Env, MessageBatch, ScheduleContext, ScheduledEvent, event};

/// HTTP requests.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edge_http::serve(&routes::ROUTES, request, env, context).await
}

/// The cron trigger: once an hour.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    logging::start(&env);
    let (database, queue) = (D1::new(env.d1(DB).ok()), EdgeQueue::new(&env));
    if let Err(error) = housekeeping::clean(&database, &queue, EdgeTime.now()).await {
        tracing::error!(internal = error.internal(), "housekeeping failed");
    }
    let cleanup = Cleanup {
        sql: &database,
        kv: &EdgeKv::new(env.kv(CACHE).ok()),
        ledger: &RemoteLedger::new(&env, RequestTime::default()),
        clock: &EdgeTime,
    };
    if let Err(error) = cleanup.run().await {
        tracing::error!(
            internal = error.internal(),
            "deletion of expired data failed"
        );
    }
}

/// The queue's messages from session to session. Each is acknowledged or retried by itself: the
/// event turns an error into a panic.
#[event(queue)]
async fn queue(batch: MessageBatch<String>, env: Env, context: Context) -> worker::Result<()> {
    logging::start(&env);
    sends::queue::receive(&batch, env, context).await;
    Ok(())
}
