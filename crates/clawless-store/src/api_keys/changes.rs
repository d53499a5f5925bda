//! How keys come, change and go: each change in one batch with its line in the audit log.

use clawless_core::keys::KeyDigest;
use clawless_core::{ApiKey, KeyId, TenantId, Timestamp};

use super::{INSERT, NOTE_USE, REVOKE, SUCCEED};
use crate::audit::{AuditEntry, noting};
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::Statement;

/// The constraint that a batch meets whose record is no longer the expected one.
const VERSION: &str = "api_keys.version";

/// Stores the record of a new key of the tenant `key.tenant_id`, without a line in the audit log:
/// for databases that are set up and not operated.
pub async fn insert(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    digest: KeyDigest,
) -> Result<(), SqlError> {
    sql.batch(vec![inserting(tenant, key, digest)?]).await
}

/// Stores the record of a new key.
pub async fn mint(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    digest: KeyDigest,
    audit: &AuditEntry,
) -> Result<(), SqlError> {
    sql.batch(vec![inserting(tenant, key, digest)?, noting(tenant, audit)])
        .await
}

/// Stores the record of a key that takes the place of `old`, which ends at `old_ends`. `false`
/// where `old` has changed since it was read: then nothing is stored.
pub async fn rotate(
    sql: &impl Sql,
    tenant: &TenantId,
    old: &ApiKey,
    old_ends: Timestamp,
    (new, digest): (&ApiKey, KeyDigest),
    audit: &AuditEntry,
) -> Result<bool, SqlError> {
    let succeed = SUCCEED.with([
        tenant.into(),
        (&old.id).into(),
        old.version.into(),
        old_ends.into(),
        (&new.id).into(),
    ]);
    let batch = vec![
        succeed,
        inserting(tenant, new, digest)?,
        noting(tenant, audit),
    ];
    row::unless_changed(sql.batch(batch).await, VERSION)
}

/// Ends a key for ever. `false` where it has changed since it was read: then nothing is stored.
pub async fn revoke(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    now: Timestamp,
    audit: &AuditEntry,
) -> Result<bool, SqlError> {
    let revoke = REVOKE.with([
        tenant.into(),
        (&key.id).into(),
        key.version.into(),
        now.into(),
    ]);
    let batch = vec![revoke, noting(tenant, audit)];
    row::unless_changed(sql.batch(batch).await, VERSION)
}

/// Notes when keys were last used. May be repeated, and in any order.
pub async fn note_uses(
    sql: &impl Sql,
    tenant: &TenantId,
    uses: &[(KeyId, Timestamp)],
) -> Result<(), SqlError> {
    if uses.is_empty() {
        return Ok(());
    }
    let note = |(key, at): &(KeyId, Timestamp)| {
        NOTE_USE.with([tenant.into(), key.into(), (*at).into()])
    };
    sql.batch(uses.iter().map(note).collect()).await
}

fn inserting(
    tenant: &TenantId,
    key: &ApiKey,
    digest: KeyDigest,
) -> Result<Statement, SqlError> {
    Ok(INSERT.with([
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
    ]))
}
