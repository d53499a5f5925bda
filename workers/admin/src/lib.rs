//! The admin Worker: how operators manage tenants, keys and usage.
//!
//! It has no public route of its own. The gateway passes `/admin/*` on over a service binding, and
//! this Worker authenticates for itself. [`router`] is the table of contents.

mod audit;
mod authenticate;
mod bindings;
mod context;
mod input;
mod keys;
mod page;
mod router;
mod tenants;
mod tokens;

use worker::{Context, Env, Request, Response, event};

/// Every request comes in here, from the gateway.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    router::serve(request, &env).await
}
