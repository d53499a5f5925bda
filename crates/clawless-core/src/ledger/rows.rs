//! Row types of the persisted ledger.
//!
//! A row is a table name, a key and a JSON text; one SQL table with these three columns is enough.
//! Values that follow from other rows are not stored: reserved amounts follow from open
//! reservations, usage from acknowledged totals and pending receipts, the holder of a lane from both.
//! An admission therefore writes one row, its settlement overwrites it, and acknowledged receipts are
//! summed into one row per batch.

use serde::{Deserialize, Serialize};

use super::period::Period;
use crate::ids::{KeyId, RequestId, SessionId};

pub(super) const CONFIG: &str = "config";
pub(super) const BOOKS: &str = "books";
pub(super) const KEY: &str = "key";
pub(super) const SESSION: &str = "session";
pub(super) const REQUEST: &str = "request";
pub(super) const SWEPT: &str = "swept";
pub(super) const TURN: &str = "turn";

/// Identifies a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowKey {
    Config,
    Account(Period),
    Key(KeyId),
    Session(SessionId),
    /// An open reservation, then its receipt.
    Request(RequestId),
    Swept(RequestId),
    Turn(RequestId),
}

/// The row of a request: an open reservation, later overwritten by its receipt.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestRow<Open, Receipt> {
    Open(Open),
    Receipt(Receipt),
}

/// One row change. A batch changes each row at most once; the order of changes is irrelevant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Insert or replace.
    Put {
        /// The table.
        table: &'static str,
        /// The row's key in its table.
        key: String,
        /// The row as JSON text.
        value: String,
    },
    /// Delete; the row need not exist.
    Delete {
        /// The table.
        table: &'static str,
        /// The row's key in its table.
        key: String,
    },
}

impl Write {
    /// Stores `row`, or deletes it if it is absent.
    pub(super) fn new<T: Serialize>(
        table: &'static str,
        key: String,
        row: Option<&T>,
    ) -> Result<Self, serde_json::Error> {
        Ok(match row {
            Some(row) => Self::Put {
                table,
                key,
                value: serde_json::to_string(row)?,
            },
            None => Self::Delete { table, key },
        })
    }
}

/// A row cannot be read. The ledger must not start without it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An unknown table, written by a newer version.
    #[error("unknown ledger table {0:?}")]
    UnknownTable(String),
    /// The text of a row is invalid for its table.
    #[error("ledger row {key:?} of {table:?}: {source}")]
    Row {
        /// The table.
        table: String,
        /// The row's key.
        key: String,
        /// The parse error.
        source: serde_json::Error,
    },
}
