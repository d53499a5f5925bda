//! The health check of the database.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ports::{Sql, SqlError};
use crate::statements::statements;

statements! {
    /// Reads no table.
    PING = "SELECT 1 AS alive";
    /// The names and definitions of all tables, indexes and triggers.
    SCHEMA_ACROSS_TENANTS = "SELECT name, coalesce(sql, '') AS sql FROM sqlite_master";
}

/// A migration file.
struct Migration {
    name: &'static str,
    /// The tables, indexes and triggers that it creates, and the columns that it adds, as
    /// `table.column`.
    objects: &'static [&'static str],
}

/// All migrations, in order. `build.rs` reads them from the files.
const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

#[derive(Deserialize)]
struct SchemaRow {
    name: String,
    sql: String,
}

/// Runs a statement that reads no table.
pub async fn check(sql: &impl Sql) -> Result<(), SqlError> {
    sql.query::<IgnoredAny>(PING.with([])).await.map(drop)
}

/// The names of the migrations that the database lacks, or has only in part.
pub async fn missing_migrations_across_tenants(
    sql: &impl Sql,
) -> Result<Vec<&'static str>, SqlError> {
    let schema: Vec<SchemaRow> = sql.query(SCHEMA_ACROSS_TENANTS.with([])).await?;
    let exists = |object: &&str| match object.split_once('.') {
        None => schema.iter().any(|row| row.name == *object),
        Some((table, column)) => {
            let ends_word = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
            let mut tables = schema.iter().filter(|row| row.name == table);
            tables.any(|row| row.sql.split(ends_word).any(|word| word == column))
        }
    };
    let missing = MIGRATIONS
        .iter()
        .filter(|migration| !migration.objects.iter().all(exists));
    Ok(missing.map(|migration| migration.name).collect())
}
