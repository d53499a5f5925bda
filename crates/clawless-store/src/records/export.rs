//! Exporting everything that is stored of a tenant, in pages.

use std::fmt;
use std::str::FromStr;

use clawless_core::{TenantId, Timestamp};

use super::record::{
    InvalidPosition, Key, MAX_LARGE_ROWS, MAX_PAGE_BYTES, Record, query, total_bytes,
};
use super::statements::{
    API_KEYS, AUDIT_LOG, IDEMPOTENCY, MESSAGES, RECEIPTS, SENDS, SESSIONS, TENANT, TOOL_EXECUTIONS,
    TURNS, WIDGET_SESSIONS, WIDGETS,
};
use crate::ports::{Sql, SqlError, SqlText};

/// A list of an export.
struct List {
    /// Its name in a position.
    name: &'static str,
    statement: SqlText,
    /// Sorts before the key of the first row.
    start: &'static str,
    /// The rows of one query, fewer if a row can be long.
    limit: u32,
    /// Whether the statement takes the time, to leave out what has expired.
    expires: bool,
}

impl List {
    /// A list of what never expires.
    const fn permanent(name: &'static str, statement: SqlText, limit: u32) -> Self {
        Self {
            name,
            statement,
            start: "",
            limit,
            expires: false,
        }
    }

    /// A list of what belongs to sessions.
    const fn expiring(
        name: &'static str,
        statement: SqlText,
        start: &'static str,
        limit: u32,
    ) -> Self {
        Self {
            name,
            statement,
            start,
            limit,
            expires: true,
        }
    }
}

/// The lists of an export, in order.
const LISTS: [List; 12] = [
    List::permanent("tenant", TENANT, 1),
    List::permanent("api_keys", API_KEYS, 200),
    List::permanent("widgets", WIDGETS, 8),
    List::expiring("sessions", SESSIONS, "", 16),
    List::expiring("widget_sessions", WIDGET_SESSIONS, "", 200),
    List::expiring("turns", TURNS, r#"["",0]"#, 16),
    List::expiring("messages", MESSAGES, r#"["",0,0]"#, MAX_LARGE_ROWS),
    List::expiring("tool_executions", TOOL_EXECUTIONS, "", 16),
    List::expiring("sends", SENDS, "", 16),
    List::expiring("kept_answers", IDEMPOTENCY, r#"["","",""]"#, MAX_LARGE_ROWS),
    List::permanent("receipts", RECEIPTS, 200),
    List::permanent("audit_log", AUDIT_LOG, 16),
];

/// The most queries of one page.
const MAX_QUERIES: u32 = 30;

/// The position at which an export continues: after a row of one of its lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordPosition {
    list: usize,
    after: String,
}

impl FromStr for RecordPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (name, after) = text.split_once(':').ok_or(InvalidPosition)?;
        let mut lists = LISTS.iter().enumerate();
        let found = lists.find(|(_, list)| list.name == name);
        let (list, found) = found.ok_or(InvalidPosition)?;
        let has_composite_key = !found.start.is_empty();
        if has_composite_key {
            after.parse::<Key>()?;
        }
        let after = after.to_owned();
        Ok(Self { list, after })
    }
}

impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = LISTS.get(self.list).ok_or(fmt::Error)?;
        write!(f, "{}:{}", list.name, self.after)
    }
}

/// A page of all of a tenant's records, and the position of the next page. A page has at most a few
/// thousand rows and fits a Worker's memory. What has expired is excluded.
pub async fn export(
    sql: &impl Sql,
    tenant: &TenantId,
    from: RecordPosition,
    now: Timestamp,
) -> Result<(Vec<Record>, Option<RecordPosition>), SqlError> {
    let (mut records, mut bytes) = (Vec::new(), 0);
    let RecordPosition {
        list: first,
        mut after,
    } = from;
    let mut queries = 0;
    for (list, description) in LISTS.iter().enumerate().skip(first) {
        let limit = description.limit;
        if after.is_empty() {
            description.start.clone_into(&mut after);
        }
        loop {
            if queries == MAX_QUERIES || bytes >= MAX_PAGE_BYTES {
                return Ok((records, Some(RecordPosition { list, after })));
            }
            let mut params = vec![tenant.into(), after.as_str().into(), limit.into()];
            params.extend(description.expires.then(|| now.into()));
            let found = query(sql, description.statement.with_all(params)).await?;
            queries += 1;
            let is_last = found.len() < limit as usize;
            bytes += total_bytes(&found);
            records.extend(found);
            if is_last {
                break;
            }
            if let Some(last) = records.last() {
                last.key.clone_into(&mut after);
            }
        }
        after.clear();
    }
    Ok((records, None))
}
