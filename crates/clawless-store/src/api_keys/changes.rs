//! Creating, changing, rotating and revoking API keys, each in one batch with its audit entry.

use clawless_core::keys::KeyDigest;
use clawless_core::limits::KeyLimits;
use clawless_core::{ApiKey, KeyId, TenantId, Timestamp};

use super::statements::{CHANGE, INSERT, RECORD_USE, REVOKE, ROTATE};
use super::version::VERSION;
use crate::audit::{self, AuditEntry};
use crate::ports::{Sql, SqlError, Statement, Value};
use crate::row;
use crate::widgets;

/// Stores a new key of the tenant `key.tenant_id` without an audit entry, for tests and seeds.
pub async fn insert(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    digest: KeyDigest,
) -> Result<(), SqlError> {
    sql.batch(vec![insert_statement(tenant, key, digest)?])
        .await
}

/// Stores a new key.
pub async fn mint(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    digest: KeyDigest,
    entry: &AuditEntry,
) -> Result<(), SqlError> {
    sql.batch(vec![
        insert_statement(tenant, key, digest)?,
        audit::insert(tenant, entry),
    ])
    .await
}

/// Stores a key that replaces `old`, which expires at `old_expires_at`. `false` if `old` has
/// changed since it was read, and then nothing is stored.
pub async fn rotate(
    sql: &impl Sql,
    tenant: &TenantId,
    old: &ApiKey,
    old_expires_at: Timestamp,
    (new, digest): (&ApiKey, KeyDigest),
    entry: &AuditEntry,
) -> Result<bool, SqlError> {
    let rotate = ROTATE.with([
        tenant.into(),
        (&old.id).into(),
        old.version.into(),
        old_expires_at.into(),
        (&new.id).into(),
    ]);
    let batch = vec![
        rotate,
        insert_statement(tenant, new, digest)?,
        widgets::copy(tenant, &old.id, &new.id),
        audit::insert(tenant, entry),
    ];
    row::unless_changed(sql.batch(batch).await, VERSION)
}

/// Revokes a key; `false` if it has changed since it was read, and then nothing is stored.
pub async fn revoke(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<bool, SqlError> {
    let revoke = REVOKE.with([
        tenant.into(),
        (&key.id).into(),
        key.version.into(),
        now.into(),
    ]);
    let batch = vec![revoke, audit::insert(tenant, entry)];
    row::unless_changed(sql.batch(batch).await, VERSION)
}

/// Changes the name, the limits and the origins of a key; `false` if it has changed since `before` was read, and then
/// nothing is stored.
pub async fn change(
    sql: &impl Sql,
    tenant: &TenantId,
    before: &ApiKey,
    after: &ApiKey,
    entry: &AuditEntry,
) -> Result<bool, SqlError> {
    let change = CHANGE.with([
        tenant.into(),
        (&before.id).into(),
        before.version.into(),
        after.name.as_str().into(),
        limits(&after.limits)?,
        row::to_json("api_keys.allowed_origins", &after.allowed_origins)?.into(),
    ]);
    let batch = vec![change, audit::insert(tenant, entry)];
    row::unless_changed(sql.batch(batch).await, VERSION)
}

/// Records when keys were last used. Idempotent, and independent of order.
pub async fn record_uses(
    sql: &impl Sql,
    tenant: &TenantId,
    uses: &[(KeyId, Timestamp)],
) -> Result<(), SqlError> {
    if uses.is_empty() {
        return Ok(());
    }
    let record =
        |(key, at): &(KeyId, Timestamp)| RECORD_USE.with([tenant.into(), key.into(), (*at).into()]);
    sql.batch(uses.iter().map(record).collect()).await
}

fn insert_statement(
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
        limits(&key.limits)?,
    ]))
}

/// The column with a key's limits; NULL without any.
fn limits(limits: &KeyLimits) -> Result<Value, SqlError> {
    if limits.is_unlimited() {
        return Ok(Value::Null);
    }
    Ok(row::to_json("api_keys.limits", limits)?.into())
}
