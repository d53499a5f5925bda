//! One record, and the query that reads some.

use std::str::FromStr;

use clawless_core::json::Json;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};

use crate::ports::{Sql, SqlError, Statement};
use crate::row;

/// The most rows of one query if each may have 2 MB.
pub(super) const MAX_LARGE_ROWS: u32 = 8;

/// The bytes of records after which no further query starts, so that a page fits a Worker's memory.
pub(super) const MAX_PAGE_BYTES: usize = 2_000_000;

/// A row as JSON, with its sort key. Serialises as the row alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The key that the list is sorted by.
    pub key: String,
    /// The row.
    pub json: Json,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

/// A [`Record::key`] that a client sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        // SQLite reads it as JSON, and invalid JSON would be reported as a database error.
        match serde_json::from_str::<Vec<IgnoredAny>>(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidPosition),
        }
    }
}

/// A text is not a position in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position in a list")]
pub struct InvalidPosition;

#[derive(Deserialize)]
struct Row {
    sort_key: String,
    record: String,
    message: Option<String>,
}

impl TryFrom<Row> for Record {
    type Error = SqlError;

    fn try_from(mut row: Row) -> Result<Self, SqlError> {
        if let Some(message) = row.message {
            // Not in SQL: the record with the message may be longer than D1's limit for a text.
            row.record.pop();
            row.record.extend([r#","message":"#, &message, "}"]);
        }
        Ok(Self {
            key: row.sort_key,
            json: row::raw_json("record", row.record)?,
        })
    }
}

/// The total length of the records.
pub(super) fn total_bytes(records: &[Record]) -> usize {
    let lengths = records.iter().map(|record| record.json.as_str().len());
    lengths.sum()
}

/// Runs a statement that returns records.
pub(super) async fn query(sql: &impl Sql, statement: Statement) -> Result<Vec<Record>, SqlError> {
    let rows: Vec<Row> = sql.query(statement).await?;
    rows.into_iter().map(Record::try_from).collect()
}
