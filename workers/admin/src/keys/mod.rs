//! `/admin/tenants/{id}/keys`: a tenant's API keys. Only the response that creates a key shows it.

mod change;
mod find;
mod mint;
mod read;
mod revoke;
mod rotate;

pub(crate) use change::change;
pub(crate) use mint::mint;
pub(crate) use read::{list, show};
pub(crate) use revoke::revoke;
pub(crate) use rotate::rotate;
