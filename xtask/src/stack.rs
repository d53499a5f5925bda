//! A running Clawless on this machine: a model server, the Workers, their state and their record.

pub(crate) mod config;
pub(crate) mod database;
pub(crate) mod greeting;
pub(crate) mod group;
pub(crate) mod identity;
pub(crate) mod preparation;
pub(crate) mod provider;
pub(crate) mod ready;
pub(crate) mod record;
pub(crate) mod state;
pub(crate) mod watch;
