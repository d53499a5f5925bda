//! Sessions as they stand in the database.

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::SessionHead;
use clawless_core::{Session, SessionId, TenantId, Timestamp, Tokens};
use serde::Deserialize;

use super::FIND;
use super::endings::bury_expired;
use crate::ports::{Sql, SqlError};
use crate::row;

/// What is under a session's name.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionLookup {
    /// A session.
    Found(Box<Session>),
    /// None: never made, deleted or expired. The first turn of a new one expects this head.
    Free {
        /// The head that the name has: [`SessionHead::EMPTY`], or that of a session that was.
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

/// What is under the name: a session, or a free place and the head that its first turn expects. A
/// session that has expired is deleted here, so that whoever takes its name sees nothing of it.
pub async fn look_up(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<SessionLookup, SqlError> {
    match read(sql, tenant, id).await? {
        SessionLookup::Found(session) if session.is_expired(now) => {
            bury_expired(sql, tenant, id, now).await?;
            // Whatever is there now: another request may have been quicker, and gone on.
            read(sql, tenant, id).await
        }
        place => Ok(place),
    }
}

/// The session, if the tenant has one of this name.
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

/// The session, even if it has expired and nobody has noticed.
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

async fn read(sql: &impl Sql, tenant: &TenantId, id: &SessionId) -> Result<SessionLookup, SqlError> {
    let rows: Vec<SessionRow> = sql.query(FIND.with([tenant.into(), id.into()])).await?;
    match rows.into_iter().next() {
        Some(row) if row.deleted_at.is_none() => {
            let session = Session::try_from(row)?;
            Ok(SessionLookup::Found(Box::new(session)))
        },
        Some(row) => Ok(SessionLookup::Free { head: row.head }),
        None => Ok(SessionLookup::Free { head: SessionHead::EMPTY }),
    }
}
