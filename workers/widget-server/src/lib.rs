//! The widget server: the files of the chat widget, with the headers that let any site embed them, its
//! demo and its configurator, and the reference of the gateway's API.
//!
//! It has no public route: the gateway forwards to it over a service binding.

mod docs;
mod files;
mod logos;
mod pages;
mod routes;
mod service;
mod version;

use clawless_edge::http::serve;
use worker::web_sys::{Request, Response};
use worker::{Context, Env, event};

/// Requests from the gateway.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    serve(&routes::ROUTES, request, env, context).await
}
