//! The admin Worker: how operators manage tenants, keys and usage.
//!
//! It has no public route: the gateway forwards `/admin/*` over a service binding, and this Worker
//! authenticates for itself. [`routes`] is the table of routes.

mod audit;
mod authenticate;
mod bindings;
mod context;
#[cfg(feature = "schema")]
pub mod description;
mod docs;
mod health;
mod input;
mod keys;
mod page;
mod routes;
mod service;
mod tenants;
mod tokens;
mod widgets;

use clawless_edge::http::serve;
use worker::web_sys::{Request, Response};
use worker::{Context, Env, event};

/// Requests from the gateway.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    serve(&routes::ROUTES, request, env, context).await
}
