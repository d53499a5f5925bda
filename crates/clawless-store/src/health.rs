//! Whether the database answers.

use serde::de::IgnoredAny;

use crate::ports::{Sql, SqlError};
use crate::statement::statements;

statements! {
    /// Touches no table.
    PING = "SELECT 1 AS alive";
}

/// Asks the database for a sign of life.
pub async fn check(sql: &impl Sql) -> Result<(), SqlError> {
    sql.query::<IgnoredAny>(PING.with([])).await.map(drop)
}
