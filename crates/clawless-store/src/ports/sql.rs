//! The port to a relational database.

use serde::de::DeserializeOwned;

use super::sql_error::SqlError;
use super::statement::Statement;

/// A relational database with D1's limits: 100 parameters a statement, 2 MB a row, and a batch as
/// the only transaction.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, so no caller needs to name the future or its `Send`"
)]
pub trait Sql {
    /// Runs one statement and returns its rows, deserialized from objects with a member per column.
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError>;

    /// Runs the statements in order as one transaction.
    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError>;
}

impl<S: Sql + ?Sized> Sql for &S {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        (**self).query(statement).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        (**self).batch(statements).await
    }
}
