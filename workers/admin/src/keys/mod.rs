//! `/admin/tenants/{id}/keys`: a tenant's API keys. A key itself is shown once, to whoever mints it.

mod mint;
mod read;
mod revoke;
mod rotate;
mod view;

pub(crate) use mint::mint;
pub(crate) use read::{list, show};
pub(crate) use revoke::revoke;
pub(crate) use rotate::rotate;

use clawless_core::{ApiError, KeyId, TenantId};
use clawless_store::api_keys::{self, StoredKey};

use crate::context::{AdminContext, no_such};

/// The key whose id stands in the path.
///
/// # Errors
/// 404 where the tenant has none.
async fn find(context: &AdminContext, tenant: &TenantId, id: &str) -> Result<StoredKey, ApiError> {
    let id: KeyId = id.parse().map_err(|_| no_such("key"))?;
    let found = api_keys::find(&context.sql, tenant, &id).await?;
    found.ok_or_else(|| no_such("key"))
}
