//! `/admin/tenants/{id}/keys/{key}/widget`: the chat widget of a public key.

mod change;
mod find;
mod logo;
mod read;

pub(crate) use change::change;
pub(crate) use logo::{delete as delete_logo, put as put_logo};
pub(crate) use read::show;
