//! Operators' tokens for the admin API. They belong to no tenant and are stored as digests only.

use clawless_core::admin_token::AdminToken;
use clawless_core::keys::KeyDigest;
use clawless_core::{AdminTokenId, Timestamp};

use crate::audit::{AuditEntry, insert_across_tenants};
use crate::page;
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statements::statements;

statements! {
    FIND_BY_DIGEST_ACROSS_TENANTS = "
        SELECT id, name, expires_at, revoked_at, created_at FROM admin_tokens WHERE digest = ?1";
    FIND_ACROSS_TENANTS = "
        SELECT id, name, expires_at, revoked_at, created_at FROM admin_tokens WHERE id = ?1";
    LIST_ACROSS_TENANTS = "
        SELECT id, name, expires_at, revoked_at, created_at FROM admin_tokens
        WHERE id > ?1 ORDER BY id LIMIT ?2";
    INSERT_ACROSS_TENANTS = "
        INSERT INTO admin_tokens (id, digest, name, expires_at, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5)";
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
        token.expires_at.into(),
        token.created_at.into(),
    ]);
    sql.batch(vec![insert, insert_across_tenants(audit)]).await
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
