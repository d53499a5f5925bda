//! Reading sessions.

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::SessionHead;
use clawless_core::{Session, SessionId, TenantId, Timestamp, Tokens};
use serde::Deserialize;

use super::statements::{
    DELETE_EXPIRED_TOOL_EXECUTIONS, DELETE_EXPIRED_TURNS, FIND, SOFT_DELETE_EXPIRED,
};
use crate::ports::{Sql, SqlError};
use crate::row;

/// The result of looking up a session's name.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionLookup {
    /// The session exists.
    Found(Box<Session>),
    /// The session was never created, or is deleted or expired.
    Free {
        /// The head that the first turn of a new session expects: [`SessionHead::EMPTY`], or that
        /// of the deleted session.
        head: SessionHead,
    },
}

/// A session's row.
#[derive(Deserialize)]
pub(super) struct SessionRow {
    id: SessionId,
    tenant_id: TenantId,
    title: Option<String>,
    metadata: String,
    system_prompt: Option<String>,
    model: Option<String>,
    thinking_level: Option<ReasoningEffort>,
    tools: Option<String>,
    head: SessionHead,
    token_total: Tokens,
    expires_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<SessionRow> for Session {
    type Error = SqlError;

    fn try_from(row: SessionRow) -> Result<Self, SqlError> {
        let tools = row.tools.map(|tools| row::json("sessions.tools", &tools));
        Ok(Self {
            id: row.id,
            tenant_id: row.tenant_id,
            title: row.title,
            metadata: row::json("sessions.metadata", &row.metadata)?,
            system_prompt: row.system_prompt,
            model: row.model,
            thinking_level: row.thinking_level,
            tools: tools.transpose()?,
            head: row.head,
            token_total: row.token_total,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Looks up a session by name. Deletes it if it has expired, so that a new session of the name does
/// not see its history.
pub async fn look_up(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<SessionLookup, SqlError> {
    match read(sql, tenant, id).await? {
        SessionLookup::Found(session) if session.is_expired(now) => {
            delete_expired(sql, tenant, id, now).await?;
            // A concurrent request may have created a new session.
            read(sql, tenant, id).await
        }
        lookup => Ok(lookup),
    }
}

/// The session, if it exists and has not expired.
pub async fn find(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Session>, SqlError> {
    Ok(match look_up(sql, tenant, id, now).await? {
        SessionLookup::Found(session) => Some(*session),
        SessionLookup::Free { .. } => None,
    })
}

/// The session, even if it has expired and was not deleted yet.
pub(crate) async fn find_even_expired(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<Option<Session>, SqlError> {
    Ok(match read(sql, tenant, id).await? {
        SessionLookup::Found(session) => Some(*session),
        SessionLookup::Free { .. } => None,
    })
}

async fn read(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<SessionLookup, SqlError> {
    let rows: Vec<SessionRow> = sql.query(FIND.with([tenant.into(), id.into()])).await?;
    match rows.into_iter().next() {
        Some(row) if row.deleted_at.is_none() => {
            let session = Session::try_from(row)?;
            Ok(SessionLookup::Found(Box::new(session)))
        }
        Some(row) => Ok(SessionLookup::Free { head: row.head }),
        None => Ok(SessionLookup::Free {
            head: SessionHead::EMPTY,
        }),
    }
}

/// Deletes a session if it has expired.
async fn delete_expired(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<(), SqlError> {
    let statements = [
        DELETE_EXPIRED_TURNS,
        DELETE_EXPIRED_TOOL_EXECUTIONS,
        SOFT_DELETE_EXPIRED,
    ];
    let batch = statements.map(|it| it.with([tenant.into(), id.into(), now.into()]));
    sql.batch(batch.into()).await
}
