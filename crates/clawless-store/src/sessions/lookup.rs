//! Reading sessions.

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::SessionHead;
use clawless_core::time_zone::TimeZone;
use clawless_core::{Session, SessionId, TenantId, Timestamp, Tokens};
use serde::Deserialize;

use super::statements::{
    DELETE_EXPIRED_ANSWERS, DELETE_EXPIRED_SENDS, DELETE_EXPIRED_TOOL_EXECUTIONS,
    DELETE_EXPIRED_TURNS, FIND, SOFT_DELETE_EXPIRED,
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
    time_zone: Option<TimeZone>,
    head: SessionHead,
    token_total: Tokens,
    expires_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Only of [`FIND`]; the other statements do not return expired sessions.
    #[serde(default)]
    has_expired: u8,
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
            time_zone: row.time_zone,
            head: row.head,
            token_total: row.token_total,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A session's row, unless it is deleted.
enum Row {
    Live(Box<Session>),
    /// Expired, and not deleted yet.
    Expired(Box<Session>),
    Free(SessionHead),
}

/// Looks up a session by name. Deletes it if it has expired, so that a new session of the name does
/// not see its history.
pub async fn look_up(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<SessionLookup, SqlError> {
    let mut row = read(sql, tenant, id, now).await?;
    if matches!(row, Row::Expired(_)) {
        delete_expired(sql, tenant, id, now).await?;
        // A concurrent request may have created a new session.
        row = read(sql, tenant, id, now).await?;
    }
    Ok(match row {
        Row::Live(session) => SessionLookup::Found(session),
        Row::Expired(session) => SessionLookup::Free { head: session.head },
        Row::Free(head) => SessionLookup::Free { head },
    })
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
    Ok(match read(sql, tenant, id, Timestamp::default()).await? {
        Row::Live(session) | Row::Expired(session) => Some(*session),
        Row::Free(_) => None,
    })
}

async fn read(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<Row, SqlError> {
    let find = FIND.with([tenant.into(), id.into(), now.into()]);
    let rows: Vec<SessionRow> = sql.query(find).await?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(Row::Free(SessionHead::EMPTY));
    };
    if row.deleted_at.is_some() {
        return Ok(Row::Free(row.head));
    }
    let has_expired = row.has_expired != 0;
    let session = Box::new(Session::try_from(row)?);
    Ok(if has_expired {
        Row::Expired(session)
    } else {
        Row::Live(session)
    })
}

/// Deletes a session if it has expired.
async fn delete_expired(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<(), SqlError> {
    let statements = [
        DELETE_EXPIRED_ANSWERS,
        DELETE_EXPIRED_TURNS,
        DELETE_EXPIRED_TOOL_EXECUTIONS,
        DELETE_EXPIRED_SENDS,
        SOFT_DELETE_EXPIRED,
    ];
    let batch = statements.map(|it| it.with([tenant.into(), id.into(), now.into()]));
    sql.batch(batch.into()).await
}
