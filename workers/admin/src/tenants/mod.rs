//! `/admin/tenants`: who is served, and how.

mod change;
mod create;
mod delete;
mod erase;
mod input;
mod read;
mod support;
mod usage;
mod view;

pub(crate) use change::{patch, put};
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use erase::erase;
pub(crate) use read::{list, show};
pub(crate) use support::{export, messages, session, sessions};
pub(crate) use usage::{of_all, of_one};
