//! The visitors of the widget: who may continue a session.

use clawless_core::keys::KeyDigest;
use clawless_core::{KeyId, SessionId, TenantId, Timestamp};
use serde::Deserialize;

use crate::ports::{Sql, SqlError, Statement};
use crate::statements::{has_expired, statements};

statements! {
    INSERT = "
        INSERT INTO widget_sessions (tenant_id, session_id, key_id, visitor_hash, user_id,
                                     created_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// Not of a session that is deleted or has expired.
    FIND = concat!("
        SELECT visitor_hash, user_id, expires_at FROM widget_sessions
        WHERE tenant_id = ?1 AND session_id = ?2 AND expires_at > ?3
          AND NOT EXISTS (
            SELECT 1 FROM sessions WHERE tenant_id = ?1 AND id = ?2
              AND (deleted_at IS NOT NULL OR ", has_expired!("?3"), "))");
    EXTEND = "
        UPDATE widget_sessions SET expires_at = max(expires_at, ?3)
        WHERE tenant_id = ?1 AND session_id = ?2";
    DELETE = "DELETE FROM widget_sessions WHERE tenant_id = ?1 AND session_id = ?2";
    PURGE_EXPIRED_ACROSS_TENANTS = "DELETE FROM widget_sessions WHERE expires_at <= ?1";
    PURGE_DELETED_ACROSS_TENANTS = "
        DELETE FROM widget_sessions WHERE (tenant_id, session_id) IN (
          SELECT tenant_id, id FROM sessions WHERE deleted_at <= ?1)";
}

/// A new visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVisitor<'a> {
    /// The session.
    pub session: &'a SessionId,
    /// The public key.
    pub key: &'a KeyId,
    /// The SHA-256 of the visitor's secret.
    pub hash: KeyDigest,
    /// The signed-in user.
    pub user: Option<&'a str>,
    /// The current time.
    pub now: Timestamp,
    /// Until when the session can be continued.
    pub expires_at: Timestamp,
}

/// The visitor of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVisitor {
    /// The SHA-256 of the visitor's secret.
    pub hash: KeyDigest,
    /// The signed-in user.
    pub user: Option<String>,
    /// Until when the session can be continued.
    pub expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Row {
    visitor_hash: String,
    user_id: Option<String>,
    expires_at: Timestamp,
}

/// Stores the visitor of a new session.
pub async fn insert(
    sql: &impl Sql,
    tenant: &TenantId,
    visitor: &NewVisitor<'_>,
) -> Result<(), SqlError> {
    let insert = INSERT.with([
        tenant.into(),
        visitor.session.into(),
        visitor.key.into(),
        visitor.hash.into(),
        visitor.user.into(),
        visitor.now.into(),
        visitor.expires_at.into(),
    ]);
    sql.batch(vec![insert]).await
}

/// The visitor of a session that can be continued.
pub async fn find(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    now: Timestamp,
) -> Result<Option<StoredVisitor>, SqlError> {
    let find = FIND.with([tenant.into(), session.into(), now.into()]);
    let rows: Vec<Row> = sql.query(find).await?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(None);
    };
    let hash = KeyDigest::parse_hex(&row.visitor_hash);
    let hash = hash.ok_or_else(|| SqlError::corrupt("widget_sessions.visitor_hash"))?;
    Ok(Some(StoredVisitor {
        hash,
        user: row.user_id,
        expires_at: row.expires_at,
    }))
}

/// Extends the time for which a session can be continued.
pub async fn extend(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    expires_at: Timestamp,
) -> Result<(), SqlError> {
    let extend = EXTEND.with([tenant.into(), session.into(), expires_at.into()]);
    sql.batch(vec![extend]).await
}

/// The statement that forgets the visitor of a session.
pub(crate) fn forget(tenant: &TenantId, session: &SessionId) -> Statement {
    DELETE.with([tenant.into(), session.into()])
}

/// Forgets the visitors of sessions that are deleted, and those whose time is over.
pub async fn purge_across_tenants(sql: &impl Sql, now: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![
        PURGE_EXPIRED_ACROSS_TENANTS.with([now.into()]),
        PURGE_DELETED_ACROSS_TENANTS.with([now.into()]),
    ])
    .await
}
