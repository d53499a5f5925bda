//! The gateway: the public Worker of Clawless.
//!
//! A request goes through the stages in this order, each a module of its own:
//! [`authenticate`] → parse ([`clawless_core::chat`]) → [`route`] → [`admit`] → [`prepare`] →
//! [`call`] → [`relay`] → [`commit`] → [`settle`]. [`router`] is the table of contents.

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
pub mod idempotency;
pub mod ledger;
pub mod memory;
pub mod models;
pub mod platform;
pub mod prepare;
pub mod relay;
pub mod resume;
pub mod rounds;
pub mod route;
pub mod router;
pub mod settle;
pub mod tools;
pub mod turn;

pub use ledger::TenantLedger;
use worker::{Context, Env, Request, Response, event};

/// Every request comes in here.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    router::serve(request, env, context).await
}
