//! API keys. Only a key's digest is stored, never the key.

mod changes;
mod lookup;
mod statements;
mod version;

pub use changes::{change, insert, mint, record_uses, revoke, rotate};
pub use lookup::{find, find_by_digest_across_tenants, find_with_tenant, list};
pub(crate) use version::{VERSION, touch};

pub(crate) use statements::STATEMENTS;
