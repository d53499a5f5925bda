//! Operators' tokens for the admin API. They are stored as digests only.

use clawless_core::admin_token::AdminToken;
use clawless_core::keys::KeyDigest;
use clawless_core::{AdminTokenId, TenantId, Timestamp};

use crate::audit::{AuditEntry, insert_across_tenants};
use crate::page;
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statements::statements;

statements! {
    FIND_BY_DIGEST_ACROSS_TENANTS = "
        SELECT id, name, role, expires_at, revoked_at, created_at FROM admin_tokens WHERE digest = ?1";
    FIND_ACROSS_TENANTS = "
        SELECT id, name, role, expires_at, revoked_at, created_at FROM admin_tokens WHERE id = ?1";
    LIST_ACROSS_TENANTS = "
        SELECT id, name, role, expires_at, revoked_at, created_at FROM admin_tokens
        WHERE id > ?1 ORDER BY id LIMIT ?2";
    /// Those that are bound to a tenant and not revoked.
    LIST_BOUND = "
        SELECT id, name, role, expires_at, revoked_at, created_at FROM admin_tokens
        WHERE role = 'tenant_admin:' || ?1 AND revoked_at IS NULL ORDER BY id";
    INSERT_ACROSS_TENANTS = "
        INSERT INTO admin_tokens (id, digest, name, role, expires_at, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    /// Sets a NOT NULL column to NULL if the token has changed or is revoked, so that the batch fails.
    CHANGE_ACROSS_TENANTS = "
        UPDATE admin_tokens SET name = ?2, role = ?3, expires_at = ?4,
          created_at = iif(name = ?5 AND role = ?6 AND expires_at IS ?7 AND revoked_at IS NULL,
                           created_at, NULL)
        WHERE id = ?1";
    /// Sets a NOT NULL column to NULL if the token is already revoked, so that the batch fails.
    REVOKE_ACROSS_TENANTS = "
        UPDATE admin_tokens SET revoked_at = ?2, created_at = iif(revoked_at IS NULL, created_at, NULL)
        WHERE id = ?1";
}

/// The token with this digest, valid or not.
pub async fn find_by_digest_across_tenants(
    sql: &impl Sql,
    digest: KeyDigest,
) -> Result<Option<AdminToken>, SqlError> {
    let find = FIND_BY_DIGEST_ACROSS_TENANTS.with([digest.into()]);
    Ok(sql.query(find).await?.into_iter().next())
}

/// The token with this id.
pub async fn find_across_tenants(
    sql: &impl Sql,
    id: &AdminTokenId,
) -> Result<Option<AdminToken>, SqlError> {
    let find = FIND_ACROSS_TENANTS.with([id.into()]);
    Ok(sql.query(find).await?.into_iter().next())
}

/// Up to `limit` tokens after `after`, oldest first.
pub async fn list_across_tenants(
    sql: &impl Sql,
    after: Option<&AdminTokenId>,
    limit: u32,
) -> Result<Vec<AdminToken>, SqlError> {
    sql.query(LIST_ACROSS_TENANTS.with([page::after(after), limit.into()]))
        .await
}

/// The tokens that are bound to a tenant, without revoked ones.
pub async fn list_bound(sql: &impl Sql, tenant: &TenantId) -> Result<Vec<AdminToken>, SqlError> {
    sql.query(LIST_BOUND.with([tenant.into()])).await
}

/// Stores a new token.
pub async fn mint_across_tenants(
    sql: &impl Sql,
    token: &AdminToken,
    digest: KeyDigest,
    audit: &AuditEntry,
) -> Result<(), SqlError> {
    let insert = INSERT_ACROSS_TENANTS.with([
        (&token.id).into(),
        digest.into(),
        token.name.as_str().into(),
        token.role.to_string().into(),
        token.expires_at.into(),
        token.created_at.into(),
    ]);
    sql.batch(vec![insert, insert_across_tenants(audit)]).await
}

/// Stores the name, role and expiry of `after`. `false` if the token is no longer `before`, and then
/// nothing is stored.
pub async fn change_across_tenants(
    sql: &impl Sql,
    before: &AdminToken,
    after: &AdminToken,
    audit: &AuditEntry,
) -> Result<bool, SqlError> {
    let change = CHANGE_ACROSS_TENANTS.with([
        (&after.id).into(),
        after.name.as_str().into(),
        after.role.to_string().into(),
        after.expires_at.into(),
        before.name.as_str().into(),
        before.role.to_string().into(),
        before.expires_at.into(),
    ]);
    let batch = vec![change, insert_across_tenants(audit)];
    row::unless_changed(sql.batch(batch).await, "admin_tokens.created_at")
}

/// Revokes a token; `false` if it was already revoked, and then nothing is stored.
pub async fn revoke_across_tenants(
    sql: &impl Sql,
    id: &AdminTokenId,
    now: Timestamp,
    audit: &AuditEntry,
) -> Result<bool, SqlError> {
    let revoke = REVOKE_ACROSS_TENANTS.with([id.into(), now.into()]);
    let batch = vec![revoke, insert_across_tenants(audit)];
    row::unless_changed(sql.batch(batch).await, "admin_tokens.created_at")
}
