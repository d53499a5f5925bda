//! Making sessions and changing their settings.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::{Session, SessionId, TenantId, Timestamp};

use super::found::{SessionRow, look_up};
use super::{CREATE, UPDATE};
use crate::ports::{Sql, SqlError, Value};
use crate::row;

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
    /// How much models think in turns that do not say.
    pub thinking_level: Option<ReasoningEffort>,
    /// The server tools that are on, by name.
    pub tools: Option<Vec<String>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// What is changed of a session's settings: what is absent stays, `Some(None)` is taken away.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    /// The title.
    pub title: Option<Option<String>>,
    /// The labels, all of them.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The system prompt.
    pub system_prompt: Option<Option<String>>,
    /// The model.
    pub model: Option<Option<String>>,
    /// How much models think.
    pub thinking_level: Option<Option<ReasoningEffort>>,
    /// The server tools.
    pub tools: Option<Option<Vec<String>>>,
    /// When it ends by itself.
    pub expires_at: Option<Option<Timestamp>>,
}

/// Creates a session; `None` where the tenant has one of this name already.
pub async fn create(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    new: &NewSession,
    now: Timestamp,
) -> Result<Option<Session>, SqlError> {
    let create = || -> Result<_, SqlError> {
        Ok(CREATE.with([
            tenant.into(),
            id.into(),
            new.title.as_deref().into(),
            row::to_json("sessions.metadata", &new.metadata)?.into(),
            new.system_prompt.as_deref().into(),
            new.model.as_deref().into(),
            thinking(new.thinking_level)?,
            tools(new.tools.as_deref())?,
            new.expires_at.into(),
            now.into(),
        ]))
    };
    // One that has expired holds its name no longer; looking it up takes it away.
    look_up(sql, tenant, id, now).await?;
    first(sql.query(create()?).await?)
}

/// Changes a session's settings; `None` where there is none. Its head moves on.
pub async fn update(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    change: &Change,
    now: Timestamp,
) -> Result<Option<Session>, SqlError> {
    let mut params: Vec<Value> = vec![tenant.into(), id.into()];
    let mut set = |value: Option<Value>| {
        params.push(u64::from(value.is_some()).into());
        params.push(value.unwrap_or(Value::Null));
    };
    set(change.title.as_ref().map(|title| title.as_deref().into()));
    let metadata = change.metadata.as_ref();
    let metadata = metadata.map(|labels| row::to_json("sessions.metadata", labels));
    set(metadata.transpose()?.map(Into::into));
    set(change.system_prompt.as_ref().map(|prompt| prompt.as_deref().into()));
    set(change.model.as_ref().map(|model| model.as_deref().into()));
    set(change.thinking_level.map(thinking).transpose()?);
    let tools = change.tools.as_ref().map(|names| tools(names.as_deref()));
    set(tools.transpose()?);
    set(change.expires_at.map(Into::into));
    params.push(now.into());
    first(sql.query(UPDATE.with_all(params)).await?)
}

fn first(rows: Vec<SessionRow>) -> Result<Option<Session>, SqlError> {
    rows.into_iter().next().map(Session::try_from).transpose()
}

fn thinking(level: Option<ReasoningEffort>) -> Result<Value, SqlError> {
    let name = level.map(|level| row::name_of("sessions.thinking_level", &level));
    Ok(name.transpose()?.into())
}

fn tools(names: Option<&[String]>) -> Result<Value, SqlError> {
    let names = names.map(|names| row::to_json("sessions.tools", &names));
    Ok(names.transpose()?.into())
}
