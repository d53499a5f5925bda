//! API keys. The key itself is never stored: only its digest.

use clawless_core::keys::KeyDigest;
use clawless_core::{ApiKey, KeyId, KeyKind, Tenant, TenantId, Timestamp};
use serde::Deserialize;

use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::statements;
use crate::tenants::TenantRow;

statements! {
    FIND_BY_DIGEST_ACROSS_TENANTS = "
        SELECT t.id, t.name, t.tier, t.status, t.settings, t.version, t.created_at, t.updated_at,
               k.id AS key_id, k.kind AS key_kind, k.name AS key_name, k.scopes AS key_scopes,
               k.allowed_origins AS key_allowed_origins, k.expires_at AS key_expires_at,
               k.revoked_at AS key_revoked_at, k.version AS key_version,
               k.created_at AS key_created_at
        FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
        WHERE k.digest = ?1";
    INSERT = "
        INSERT INTO api_keys (tenant_id, id, digest, kind, name, scopes, allowed_origins,
                              expires_at, revoked_at, version, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
}

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

/// Whose key has this digest, and what it may do: the one question that comes before a tenant is
/// known. Revoked and expired keys are found too; [`ApiKey::is_usable`] and the ledger judge them.
pub async fn find_by_digest_across_tenants(
    sql: &impl Sql,
    digest: KeyDigest,
) -> Result<Option<(ApiKey, Tenant)>, SqlError> {
    let find = FIND_BY_DIGEST_ACROSS_TENANTS.with([digest.into()]);
    let rows: Vec<FoundRow> = sql.query(find).await?;
    let Some(found) = rows.into_iter().next() else {
        return Ok(None);
    };
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
    Ok(Some((key, tenant)))
}

/// Stores the record of a new key of the tenant `key.tenant_id`.
pub async fn insert(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    digest: KeyDigest,
) -> Result<(), SqlError> {
    let insert = INSERT.with([
        tenant.into(),
        (&key.id).into(),
        digest.into(),
        key.kind.as_str().into(),
        key.name.as_str().into(),
        row::to_json("api_keys.scopes", &key.scopes)?.into(),
        row::to_json("api_keys.allowed_origins", &key.allowed_origins)?.into(),
        key.expires_at.into(),
        key.revoked_at.into(),
        key.version.into(),
        key.created_at.into(),
    ]);
    sql.batch(vec![insert]).await
}
