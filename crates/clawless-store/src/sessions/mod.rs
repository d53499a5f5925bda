//! Sessions: their records and settings. [`crate::turns`] stores their messages.

mod changes;
mod deletion;
mod list;
mod lookup;
mod statements;

pub use changes::{create, update};
pub use clawless_core::session::{Change, NewSession};
pub use deletion::{delete, purge_across_tenants, reset};
pub use list::{Filter, ListStart, MAX_PAGE_BYTES, page};
pub use lookup::{SessionLookup, find, look_up};

pub(crate) use lookup::find_even_expired;
pub(crate) use statements::STATEMENTS;
