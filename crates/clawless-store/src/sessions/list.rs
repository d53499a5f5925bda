//! Listing a tenant's sessions in pages.

use std::collections::BTreeMap;

use clawless_core::{Session, SessionId, TenantId, Timestamp};

use super::lookup::SessionRow;
use super::statements::PAGE;
use crate::ports::{SafeInteger, Sql, SqlError, Value};
use crate::row;

/// Filters a list of sessions. Absent conditions match every session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Created at this time or later.
    pub created_from: Option<Timestamp>,
    /// Created before this time.
    pub created_before: Option<Timestamp>,
    /// The title contains this; ASCII case is ignored.
    pub title: Option<String>,
    /// The metadata contains all of these.
    pub metadata: BTreeMap<String, String>,
}

/// The session after which a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListStart {
    /// When the session was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: SessionId,
}

/// The most bytes of settings on a page: twice a page of the API, which is therefore full if not all sessions
/// were read.
pub const MAX_PAGE_BYTES: u64 = 2 << 20;

/// Up to `limit` sessions after `after`, newest first. Fewer if they have more than [`MAX_PAGE_BYTES`], but at
/// least one. Expired ones are excluded.
pub async fn page(
    sql: &impl Sql,
    tenant: &TenantId,
    filter: &Filter,
    after: Option<&ListStart>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Session>, SqlError> {
    let newest = filter
        .created_before
        .map_or(Value::Integer(SafeInteger::MAX), Into::into);
    // The empty id sorts before all others, so sessions created exactly then are excluded.
    let (before, before_id) = match after {
        Some(start) => (start.created_at.into(), start.id.as_str()),
        None => (newest, ""),
    };
    let query = PAGE.with([
        tenant.into(),
        before,
        before_id.into(),
        filter.created_from.unwrap_or_default().into(),
        now.into(),
        filter.title.as_deref().into(),
        row::to_json("sessions.metadata", &filter.metadata)?.into(),
        limit.into(),
        MAX_PAGE_BYTES.into(),
    ]);
    let rows: Vec<SessionRow> = sql.query(query).await?;
    let sessions = rows.into_iter().map(Session::try_from);
    let mut sessions = sessions.collect::<Result<Vec<_>, _>>()?;
    // The database would sort them in a temporary table.
    sessions.sort_by(|a, b| (b.created_at, b.id.as_str()).cmp(&(a.created_at, a.id.as_str())));
    Ok(sessions)
}
