//! The health check of the database.

use serde::de::IgnoredAny;

use crate::ports::{Sql, SqlError};
use crate::statements::statements;

statements! {
    /// Reads no table.
    PING = "SELECT 1 AS alive";
}

/// Runs a statement that reads no table.
pub async fn check(sql: &impl Sql) -> Result<(), SqlError> {
    sql.query::<IgnoredAny>(PING.with([])).await.map(drop)
}
