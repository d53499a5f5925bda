//! Keys as they are read.

use clawless_core::keys::KeyDigest;
use clawless_core::{ApiKey, KeyId, KeyKind, Tenant, TenantId, Timestamp};
use serde::Deserialize;

use super::{FIND, FIND_BY_DIGEST_ACROSS_TENANTS, FIND_WITH_TENANT, LIST};
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::tenants::TenantRow;

/// A key's row beside its tenant's.
#[derive(Deserialize)]
struct FoundRow {
    #[serde(flatten)]
    tenant: TenantRow,
    key_id: KeyId,
    key_kind: KeyKind,
    key_name: String,
    key_scopes: String,
    key_allowed_origins: String,
    key_expires_at: Option<Timestamp>,
    key_revoked_at: Option<Timestamp>,
    key_version: u64,
    key_created_at: Timestamp,
}

/// A key's record with what only operators ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The record.
    pub key: ApiKey,
    /// The key that took its place, if it was rotated.
    pub successor_id: Option<KeyId>,
    /// When it was last used, to within some minutes.
    pub last_used_at: Option<Timestamp>,
}

impl StoredKey {
    /// A key that is new.
    pub const fn new(key: ApiKey) -> Self {
        Self {
            key,
            successor_id: None,
            last_used_at: None,
        }
    }
}

#[derive(Deserialize)]
struct StoredRow {
    tenant_id: TenantId,
    id: KeyId,
    kind: KeyKind,
    name: String,
    scopes: String,
    allowed_origins: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    successor_id: Option<KeyId>,
    last_used_at: Option<Timestamp>,
    version: u64,
    created_at: Timestamp,
}

impl TryFrom<StoredRow> for StoredKey {
    type Error = SqlError;

    fn try_from(row: StoredRow) -> Result<Self, SqlError> {
        Ok(Self {
            key: ApiKey {
                id: row.id,
                tenant_id: row.tenant_id,
                kind: row.kind,
                name: row.name,
                scopes: row::json("api_keys.scopes", &row.scopes)?,
                allowed_origins: row::json("api_keys.allowed_origins", &row.allowed_origins)?,
                expires_at: row.expires_at,
                revoked_at: row.revoked_at,
                version: row.version,
                created_at: row.created_at,
            },
            successor_id: row.successor_id,
            last_used_at: row.last_used_at,
        })
    }
}

/// Whose key has this digest, and what it may do: the one question that comes before a tenant is
/// known. Revoked and expired keys are found too; [`ApiKey::is_usable`] and the ledger judge them.
pub async fn find_by_digest_across_tenants(
    sql: &impl Sql,
    digest: KeyDigest,
) -> Result<Option<(ApiKey, Tenant)>, SqlError> {
    let find = FIND_BY_DIGEST_ACROSS_TENANTS.with([digest.into()]);
    let rows: Vec<FoundRow> = sql.query(find).await?;
    rows.into_iter().next().map(both).transpose()
}

/// The key of this id beside its tenant. What it may do is judged as above.
pub async fn find_with_tenant(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &KeyId,
) -> Result<Option<(ApiKey, Tenant)>, SqlError> {
    let find = FIND_WITH_TENANT.with([tenant.into(), id.into()]);
    let rows: Vec<FoundRow> = sql.query(find).await?;
    rows.into_iter().next().map(both).transpose()
}

fn both(found: FoundRow) -> Result<(ApiKey, Tenant), SqlError> {
    let tenant = Tenant::try_from(found.tenant)?;
    let key = ApiKey {
        id: found.key_id,
        tenant_id: tenant.id.clone(),
        kind: found.key_kind,
        name: found.key_name,
        scopes: row::json("api_keys.scopes", &found.key_scopes)?,
        allowed_origins: row::json("api_keys.allowed_origins", &found.key_allowed_origins)?,
        expires_at: found.key_expires_at,
        revoked_at: found.key_revoked_at,
        version: found.key_version,
        created_at: found.key_created_at,
    };
    Ok((key, tenant))
}

/// The key, if the tenant has one of this id.
pub async fn find(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &KeyId,
) -> Result<Option<StoredKey>, SqlError> {
    let rows: Vec<StoredRow> = sql.query(FIND.with([tenant.into(), id.into()])).await?;
    rows.into_iter().next().map(StoredKey::try_from).transpose()
}

/// The tenant's keys, oldest first: at most `limit` of those after `after`.
pub async fn list(
    sql: &impl Sql,
    tenant: &TenantId,
    after: Option<&KeyId>,
    limit: u32,
) -> Result<Vec<StoredKey>, SqlError> {
    let after = after.map_or("", KeyId::as_str);
    let rows: Vec<StoredRow> = sql
        .query(LIST.with([tenant.into(), after.into(), limit.into()]))
        .await?;
    rows.into_iter().map(StoredKey::try_from).collect()
}
