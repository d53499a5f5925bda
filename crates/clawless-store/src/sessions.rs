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
