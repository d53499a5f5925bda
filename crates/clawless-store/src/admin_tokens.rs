//! The operators' tokens for the admin API. They belong to no tenant; like keys, they are stored as
//! digests only.

use clawless_core::keys::KeyDigest;
use clawless_core::{AdminTokenId, Timestamp};
use serde::Deserialize;

use crate::audit::{AuditEntry, noting_across_tenants};
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::statements;

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
    /// Where the token is revoked already, a member becomes NULL that the column refuses: the batch
    /// fails as a whole.
    REVOKE_ACROSS_TENANTS = "
        UPDATE admin_tokens SET revoked_at = ?2, created_at = iif(revoked_at IS NULL, created_at, NULL)
        WHERE id = ?1";
}

/// A token's record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AdminToken {
    /// The record's id, by which the audit log names it.
    pub id: AdminTokenId,
    /// Whose it is.
    pub name: String,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl AdminToken {
    /// Whether the token works at `now`.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// The token with this digest, usable or not.
pub async fn find_by_digest_across_tenants(
    sql: &impl Sql,
    digest: KeyDigest,
) -> Result<Option<AdminToken>, SqlError> {
    let find = FIND_BY_DIGEST_ACROSS_TENANTS.with([digest.into()]);
    Ok(sql.query(find).await?.into_iter().next())
}

/// The token of this id.
pub async fn find_across_tenants(
    sql: &impl Sql,
    id: &AdminTokenId,
) -> Result<Option<AdminToken>, SqlError> {
    let find = FIND_ACROSS_TENANTS.with([id.into()]);
    Ok(sql.query(find).await?.into_iter().next())
}

/// The tokens, oldest first: at most `limit` of those after `after`.
pub async fn list_across_tenants(
    sql: &impl Sql,
    after: Option<&AdminTokenId>,
    limit: u32,
) -> Result<Vec<AdminToken>, SqlError> {
    let after = after.map_or("", AdminTokenId::as_str);
    sql.query(LIST_ACROSS_TENANTS.with([after.into(), limit.into()]))
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
    sql.batch(vec![insert, noting_across_tenants(audit)]).await
}

/// Ends a token for ever. `false` where it was revoked meanwhile: then nothing is stored.
pub async fn revoke_across_tenants(
    sql: &impl Sql,
    id: &AdminTokenId,
    now: Timestamp,
    audit: &AuditEntry,
) -> Result<bool, SqlError> {
    let revoke = REVOKE_ACROSS_TENANTS.with([id.into(), now.into()]);
    let batch = vec![revoke, noting_across_tenants(audit)];
    row::unless_changed(sql.batch(batch).await, "admin_tokens.created_at")
}
