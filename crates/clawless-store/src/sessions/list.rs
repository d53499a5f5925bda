//! The list of a tenant's sessions, page by page.

use std::collections::BTreeMap;

use clawless_core::{Session, SessionId, TenantId, Timestamp};

use super::PAGE;
use super::found::SessionRow;
use crate::ports::{SafeInteger, Sql, SqlError, Value};
use crate::row;

/// Which sessions are wanted. What is absent is no condition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Made at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Made before this moment.
    pub created_before: Option<Timestamp>,
    /// The title contains this; upper and lower case of A to Z are the same.
    pub title: Option<String>,
    /// The labels hold all of these.
    pub metadata: BTreeMap<String, String>,
}

/// Where a page begins: after this session, in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListStart {
    /// When the session was made.
    pub created_at: Timestamp,
    /// Its id.
    pub id: SessionId,
}

/// Up to `limit` sessions, newest first, from `after` on. Expired ones are not among them.
pub async fn page(
    sql: &impl Sql,
    tenant: &TenantId,
    filter: &Filter,
    after: Option<&ListStart>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Session>, SqlError> {
    let newest = filter.created_before.map_or(Value::Integer(SafeInteger::MAX), Into::into);
    // The empty id sorts before all others: nothing made at that very moment is before it.
    let (before, before_id) = match after {
        Some(place) => (place.created_at.into(), place.id.as_str()),
        None => (newest, ""),
    };
    let query = PAGE.with([
        tenant.into(),
        before,
        before_id.into(),
        filter.created_from.unwrap_or_default().into(),
        now.into(),
        filter.title.as_deref().into(),
        row::to_json("the filter's metadata", &filter.metadata)?.into(),
        limit.into(),
    ]);
    let rows: Vec<SessionRow> = sql.query(query).await?;
    rows.into_iter().map(Session::try_from).collect()
}
