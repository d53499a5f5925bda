//! A local stack: model server, Workers, state and records.

pub(crate) mod config;
pub(crate) mod database;
pub(crate) mod greeting;
pub(crate) mod group;
pub(crate) mod identity;
pub(crate) mod preparation;
pub(crate) mod provider;
pub(crate) mod ready;
pub(crate) mod record;
pub(crate) mod runtime;
pub(crate) mod state;
mod upstream;
pub(crate) mod watch;
