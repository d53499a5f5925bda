//! The version of a key's record, by which concurrent changes are detected.

use clawless_core::{ApiKey, TenantId};

use super::statements::TOUCH;
use crate::ports::Statement;

/// The column whose constraint fails if a record has changed.
pub(crate) const VERSION: &str = "api_keys.version";

/// The statement that moves the version of a key with a change of another record. It fails, with its
/// whole batch, if the key has changed since it was read.
pub(crate) fn touch(tenant: &TenantId, key: &ApiKey) -> Statement {
    TOUCH.with([tenant.into(), (&key.id).into(), key.version.into()])
}
