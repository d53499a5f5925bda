//! `/admin/tenants`: tenants, their settings, usage and data.

mod change;
mod create;
mod delete;
mod erase;
mod read;
mod response;
mod support;
mod usage;

pub(crate) use change::{patch, put};
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use erase::erase;
pub(crate) use read::{list, show};
pub(crate) use support::{export, list_messages, list_sessions, show_session};
pub(crate) use usage::{usage, usage_of_all};
