//! Reading a tenant's sessions and messages, for support.

use clawless_core::{SessionId, TenantId, Timestamp};

use super::record::{Key, MAX_LARGE_ROWS, MAX_PAGE_BYTES, Record, query, total_bytes};
use super::statements::{MESSAGES_OF_SESSION, SESSION, SESSIONS_BY_AGE};
use crate::ports::{Sql, SqlError};

/// Sorts after the key of every session.
const NEWEST: &str = "[9007199254740991,\"\"]";
/// Sorts before the key of every message.
const EARLIEST: &str = "[0,0]";

/// Up to `limit` of a tenant's sessions after `after`, newest first. Expired ones are excluded.
pub async fn sessions(
    sql: &impl Sql,
    tenant: &TenantId,
    after: Option<&Key>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Record>, SqlError> {
    let after = after.map_or(NEWEST, Key::as_str);
    let params = [tenant.into(), after.into(), limit.into(), now.into()];
    query(sql, SESSIONS_BY_AGE.with(params)).await
}

/// The session, if the tenant has it and it has not expired.
pub async fn session(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Record>, SqlError> {
    let find = SESSION.with([tenant.into(), id.into(), now.into()]);
    let found = query(sql, find).await?;
    Ok(found.into_iter().next())
}

/// Up to `limit` messages of a session after `after`, earliest first, and whether there are more.
/// Returns fewer if they are long, so that they fit a Worker's memory.
pub async fn messages(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    after: Option<&Key>,
    limit: u32,
) -> Result<(Vec<Record>, bool), SqlError> {
    let (mut records, mut bytes): (Vec<Record>, _) = (Vec::new(), 0);
    let mut after = after.map_or(EARLIEST, Key::as_str).to_owned();
    let mut remaining = limit;
    while remaining > 0 && bytes < MAX_PAGE_BYTES {
        // One row more than wanted shows whether there are more.
        let wanted = remaining.min(MAX_LARGE_ROWS);
        let rows = (wanted + 1).into();
        let params = [tenant.into(), after.as_str().into(), rows, session.into()];
        let mut found = query(sql, MESSAGES_OF_SESSION.with(params)).await?;
        let is_last = found.len() <= wanted as usize;
        found.truncate(wanted as usize);
        if let Some(last) = found.last() {
            last.key.clone_into(&mut after);
        }
        remaining -= wanted;
        bytes += total_bytes(&found);
        records.extend(found);
        if is_last {
            return Ok((records, false));
        }
    }
    Ok((records, true))
}
