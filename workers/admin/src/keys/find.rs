//! The key that a path names.

use clawless_core::api_key::StoredKey;
use clawless_core::{ApiError, KeyId, TenantId};
use clawless_store::api_keys;

use crate::context::{AdminCall, not_found};

/// Finds the key of the path's parameter `key`.
///
/// # Errors
/// 404 if the tenant has no such key.
pub(super) async fn find(call: &AdminCall, tenant: &TenantId) -> Result<StoredKey, ApiError> {
    let id: KeyId = call.param("key").parse().map_err(|_| not_found("key"))?;
    let found = api_keys::find(&call.platform.sql, tenant, &id).await?;
    found.ok_or_else(|| not_found("key"))
}
