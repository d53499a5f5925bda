//! Creating sessions and changing their settings.

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::{Change, NewSession};
use clawless_core::time_zone::TimeZone;
use clawless_core::{Session, SessionId, TenantId, Timestamp};

use super::lookup::{SessionRow, look_up};
use super::statements::{CREATE, UPDATE};
use crate::ports::{Sql, SqlError, Value};
use crate::row;

/// Creates a session; `None` if the name exists.
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
            zone(new.time_zone),
            new.expires_at.into(),
            now.into(),
        ]))
    };
    // Deletes an expired session of this name.
    look_up(sql, tenant, id, now).await?;
    first(sql.query(create()?).await?)
}

/// Changes a session's settings; `None` if it does not exist. The head moves.
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
    set(change
        .system_prompt
        .as_ref()
        .map(|prompt| prompt.as_deref().into()));
    set(change.model.as_ref().map(|model| model.as_deref().into()));
    set(change.thinking_level.map(thinking).transpose()?);
    let tools = change.tools.as_ref().map(|names| tools(names.as_deref()));
    set(tools.transpose()?);
    set(change.time_zone.map(zone));
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

fn zone(zone: Option<TimeZone>) -> Value {
    zone.map(String::from).into()
}

fn tools(names: Option<&[String]>) -> Result<Value, SqlError> {
    let names = names.map(|names| row::to_json("sessions.tools", &names));
    Ok(names.transpose()?.into())
}
