//! Exporting everything that is stored of a tenant, in pages.

use std::fmt;
use std::str::FromStr;

use clawless_core::TenantId;

use super::record::{
    InvalidPosition, Key, MAX_LARGE_ROWS, MAX_PAGE_BYTES, Record, query, total_bytes,
};
use super::statements::{
    API_KEYS, AUDIT_LOG, IDEMPOTENCY, MESSAGES, RECEIPTS, SENDS, SESSIONS, TENANT, TOOL_EXECUTIONS,
    TURNS,
};
use crate::ports::{Sql, SqlError, SqlText};

/// The lists of an export, in order: name, statement, a key that sorts before the first row, and
/// the rows of one query, fewer if a row can be long.
const LISTS: [(&str, SqlText, &str, u32); 10] = [
    ("tenant", TENANT, "", 1),
    ("api_keys", API_KEYS, "", 200),
    ("sessions", SESSIONS, "", 16),
    ("turns", TURNS, r#"["",0]"#, 200),
    ("messages", MESSAGES, r#"["",0,0]"#, MAX_LARGE_ROWS),
    ("tool_executions", TOOL_EXECUTIONS, "", 16),
    ("sends", SENDS, "", 16),
    ("kept_answers", IDEMPOTENCY, r#"["","",""]"#, MAX_LARGE_ROWS),
    ("receipts", RECEIPTS, "", 200),
    ("audit_log", AUDIT_LOG, "", 16),
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
        let found = lists.find(|(_, (known, ..))| *known == name);
        let (list, (_, _, start, _)) = found.ok_or(InvalidPosition)?;
        let has_composite_key = !start.is_empty();
        if has_composite_key {
            after.parse::<Key>()?;
        }
        let after = after.to_owned();
        Ok(Self { list, after })
    }
}

impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, ..) = LISTS.get(self.list).ok_or(fmt::Error)?;
        write!(f, "{name}:{}", self.after)
    }
}

/// A page of all of a tenant's records, and the position of the next page. A page has at most a few
/// thousand rows and fits a Worker's memory.
pub async fn export(
    sql: &impl Sql,
    tenant: &TenantId,
    from: RecordPosition,
) -> Result<(Vec<Record>, Option<RecordPosition>), SqlError> {
    let (mut records, mut bytes) = (Vec::new(), 0);
    let RecordPosition {
        list: first,
        mut after,
    } = from;
    let mut queries = 0;
    for (list, (_, text, start, limit)) in LISTS.into_iter().enumerate().skip(first) {
        if after.is_empty() {
            start.clone_into(&mut after);
        }
        loop {
            if queries == MAX_QUERIES || bytes >= MAX_PAGE_BYTES {
                return Ok((records, Some(RecordPosition { list, after })));
            }
            let params = [tenant.into(), after.as_str().into(), limit.into()];
            let found = query(sql, text.with(params)).await?;
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
