//! `/admin/tenants`: who is served, and how.

mod change;
mod create;
mod delete;
mod input;
mod read;
mod usage;
mod view;

pub(crate) use change::{patch, put};
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use read::{list, show};
pub(crate) use usage::{of_all, of_one};
