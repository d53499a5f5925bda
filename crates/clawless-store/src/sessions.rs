//! Sessions.

use std::collections::BTreeMap;

use clawless_core::session::Head;
use clawless_core::{Session, SessionId, TenantId, Timestamp, Tokens};
use serde::Deserialize;

use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::statements;

statements! {
    FIND = "
        SELECT id, tenant_id, title, metadata, system_prompt, model, head, token_total,
               expires_at, deleted_at, created_at, updated_at
        FROM sessions WHERE tenant_id = ?1 AND id = ?2";
    /// Takes a free name, or that of a deleted session, which goes on from its head.
    CREATE = "
        INSERT INTO sessions (tenant_id, id, title, metadata, system_prompt, model, expires_at,
                              created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
        ON CONFLICT (tenant_id, id) DO UPDATE SET
          title = excluded.title, metadata = excluded.metadata,
          system_prompt = excluded.system_prompt, model = excluded.model,
          expires_at = excluded.expires_at, created_at = excluded.created_at,
          updated_at = excluded.updated_at, token_total = 0, deleted_at = NULL
        WHERE sessions.tenant_id = ?1 AND sessions.deleted_at IS NOT NULL
        RETURNING id, tenant_id, title, metadata, system_prompt, model, head, token_total,
                  expires_at, deleted_at, created_at, updated_at";
    /// The turns of a session, and their messages with them.
    DELETE_TURNS = "DELETE FROM turns WHERE tenant_id = ?1 AND session_id = ?2";
    DELETE_TOOL_EXECUTIONS = "
        DELETE FROM tool_executions WHERE tenant_id = ?1 AND session_id = ?2";
    /// The head moves on, so that no copy of the history that was is asked for again.
    EMPTY = "
        UPDATE sessions SET head = head + 1, token_total = 0, updated_at = max(updated_at, ?3)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL";
    /// What remains is the name and its head.
    BURY = "
        UPDATE sessions SET
          head = head + 1, token_total = 0, title = NULL, metadata = '{}', system_prompt = NULL,
          model = NULL, thinking_level = NULL, tools = NULL, expires_at = NULL,
          deleted_at = ?3, updated_at = max(updated_at, ?3)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL";
    PURGE_ACROSS_TENANTS = "DELETE FROM sessions WHERE deleted_at < ?1";
}

/// What is under a session's name.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A session.
    Taken(Session),
    /// None: never made, or deleted. The first turn of a new one expects this head.
    Free {
        /// The head that the name has: [`Head::EMPTY`], or that of a deleted session.
        head: Head,
    },
}

/// What an explicitly created session is given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewSession {
    /// A title for people.
    pub title: Option<String>,
    /// The client's own labels.
    pub metadata: BTreeMap<String, String>,
    /// Placed before the session's history, after the tenant's own.
    pub system_prompt: Option<String>,
    /// The model for turns that name none.
    pub model: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A session's row.
#[derive(Deserialize)]
struct SessionRow {
    id: SessionId,
    tenant_id: TenantId,
    title: Option<String>,
    metadata: String,
    system_prompt: Option<String>,
    model: Option<String>,
    head: Head,
    token_total: Tokens,
    expires_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<SessionRow> for Session {
    type Error = SqlError;

    fn try_from(row: SessionRow) -> Result<Self, SqlError> {
        Ok(Self {
            id: row.id,
            tenant_id: row.tenant_id,
            title: row.title,
            metadata: row::json("sessions.metadata", &row.metadata)?,
            system_prompt: row.system_prompt,
            model: row.model,
            head: row.head,
            token_total: row.token_total,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// What is under the name: a session, or a free place and the head that its first turn expects.
pub async fn look_up(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<Place, SqlError> {
    let rows: Vec<SessionRow> = sql.query(FIND.with([tenant.into(), id.into()])).await?;
    match rows.into_iter().next() {
        Some(row) if row.deleted_at.is_none() => Session::try_from(row).map(Place::Taken),
        Some(row) => Ok(Place::Free { head: row.head }),
        None => Ok(Place::Free { head: Head::EMPTY }),
    }
}

/// The session, if the tenant has one of this name.
pub async fn find(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<Option<Session>, SqlError> {
    Ok(match look_up(sql, tenant, id).await? {
        Place::Taken(session) => Some(session),
        Place::Free { .. } => None,
    })
}

/// Creates a session; `None` where the tenant has one of this name already.
pub async fn create(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    new: &NewSession,
    now: Timestamp,
) -> Result<Option<Session>, SqlError> {
    let create = CREATE.with([
        tenant.into(),
        id.into(),
        new.title.as_deref().into(),
        row::to_json("sessions.metadata", &new.metadata)?.into(),
        new.system_prompt.as_deref().into(),
        new.model.as_deref().into(),
        new.expires_at.into(),
        now.into(),
    ]);
    let rows: Vec<SessionRow> = sql.query(create).await?;
    rows.into_iter().next().map(Session::try_from).transpose()
}

/// Forgets everything that was said in a session, and keeps the session; `false` where there is
/// none. Its head moves on: a turn that is still running will not be stored.
pub async fn reset(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, SqlError> {
    if find(sql, tenant, id).await?.is_none() {
        return Ok(false);
    }
    let batch = vec![
        DELETE_TURNS.with([tenant.into(), id.into()]),
        // What a tool was given or answered may repeat what was said.
        DELETE_TOOL_EXECUTIONS.with([tenant.into(), id.into()]),
        EMPTY.with([tenant.into(), id.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(true)
}

/// Deletes a session and all that was said and done in it; `false` where there is none. Its name
/// and its head stay until [`purge_across_tenants`] takes them.
pub async fn delete(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, SqlError> {
    if find(sql, tenant, id).await?.is_none() {
        return Ok(false);
    }
    let batch = vec![
        DELETE_TURNS.with([tenant.into(), id.into()]),
        DELETE_TOOL_EXECUTIONS.with([tenant.into(), id.into()]),
        BURY.with([tenant.into(), id.into(), now.into()]),
    ];
    sql.batch(batch).await?;
    Ok(true)
}

/// Removes what deleted sessions left, if they were deleted before the given moment: one so long
/// ago that no turn of them can be running, and no copy of their history be alive.
pub async fn purge_across_tenants(sql: &impl Sql, before: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![PURGE_ACROSS_TENANTS.with([before.into()])])
        .await
}
