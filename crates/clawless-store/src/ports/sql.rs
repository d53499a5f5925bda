//! The port to a relational database.

use serde::de::DeserializeOwned;

use super::SqlError;
use crate::Statement;

/// A relational database with D1's rules: at most 100 parameters a statement, 2 MB a row, and a
/// batch as the only transaction.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, so no caller needs to name the future or its `Send`"
)]
pub trait Sql {
    /// Runs one statement and gives its rows, each as an object with a member a column.
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError>;

    /// Runs the statements in order as one transaction: all of them, or none.
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
