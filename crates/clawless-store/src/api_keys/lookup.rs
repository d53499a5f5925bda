//! Reading API keys.

use clawless_core::api_key::StoredKey;
use clawless_core::keys::KeyDigest;
use clawless_core::limits::KeyLimits;
use clawless_core::{ApiKey, KeyId, KeyKind, Tenant, TenantId, Timestamp};
use serde::Deserialize;

use super::statements::{FIND, FIND_BY_DIGEST_ACROSS_TENANTS, FIND_WITH_TENANT, LIST};
use crate::page;
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::tenants::TenantRow;

/// A key's row joined with its tenant's.
#[derive(Deserialize)]
struct JoinedRow {
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
    key_limits: Option<String>,
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
    limits: Option<String>,
}

/// The limits of a key; none without a row.
fn limits(text: Option<&str>) -> Result<KeyLimits, SqlError> {
    text.map_or_else(
        || Ok(KeyLimits::default()),
        |text| row::json("api_keys.limits", text),
    )
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
                limits: limits(row.limits.as_deref())?,
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

/// The key with this digest and its tenant. The only lookup before the tenant is known. Includes
/// revoked and expired keys: [`ApiKey::is_usable`] and the ledger check them.
pub async fn find_by_digest_across_tenants(
    sql: &impl Sql,
    digest: KeyDigest,
) -> Result<Option<(ApiKey, Tenant)>, SqlError> {
    let find = FIND_BY_DIGEST_ACROSS_TENANTS.with([digest.into()]);
    let rows: Vec<JoinedRow> = sql.query(find).await?;
    rows.into_iter().next().map(into_key_and_tenant).transpose()
}

/// The key with this id and its tenant, usable or not.
pub async fn find_with_tenant(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &KeyId,
) -> Result<Option<(ApiKey, Tenant)>, SqlError> {
    let find = FIND_WITH_TENANT.with([tenant.into(), id.into()]);
    let rows: Vec<JoinedRow> = sql.query(find).await?;
    rows.into_iter().next().map(into_key_and_tenant).transpose()
}

fn into_key_and_tenant(row: JoinedRow) -> Result<(ApiKey, Tenant), SqlError> {
    let tenant = Tenant::try_from(row.tenant)?;
    let key = ApiKey {
        id: row.key_id,
        tenant_id: tenant.id.clone(),
        kind: row.key_kind,
        name: row.key_name,
        scopes: row::json("api_keys.scopes", &row.key_scopes)?,
        limits: limits(row.key_limits.as_deref())?,
        allowed_origins: row::json("api_keys.allowed_origins", &row.key_allowed_origins)?,
        expires_at: row.key_expires_at,
        revoked_at: row.key_revoked_at,
        version: row.key_version,
        created_at: row.key_created_at,
    };
    Ok((key, tenant))
}

/// The key with this id, if the tenant has it.
pub async fn find(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &KeyId,
) -> Result<Option<StoredKey>, SqlError> {
    let rows: Vec<StoredRow> = sql.query(FIND.with([tenant.into(), id.into()])).await?;
    rows.into_iter().next().map(StoredKey::try_from).transpose()
}

/// Up to `limit` of the tenant's keys after `after`, oldest first.
pub async fn list(
    sql: &impl Sql,
    tenant: &TenantId,
    after: Option<&KeyId>,
    limit: u32,
) -> Result<Vec<StoredKey>, SqlError> {
    let list = LIST.with([tenant.into(), page::after(after), limit.into()]);
    let rows: Vec<StoredRow> = sql.query(list).await?;
    rows.into_iter().map(StoredKey::try_from).collect()
}
