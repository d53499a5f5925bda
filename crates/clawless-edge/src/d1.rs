//! The SQL port over D1.

use clawless_store::Statement;
use clawless_store::ports::{Sql, SqlError, Value};
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement};

/// A D1 database; every call fails if its binding is absent.
#[derive(Debug)]
pub struct D1(Option<D1Database>);

impl D1 {
    /// A database over a binding, which may be absent.
    pub const fn new(binding: Option<D1Database>) -> Self {
        Self(binding)
    }

    fn database(&self) -> Result<&D1Database, SqlError> {
        self.0
            .as_ref()
            .ok_or_else(|| SqlError::from_message("the database binding is absent"))
    }

    fn prepare(&self, statement: Statement) -> Result<D1PreparedStatement, SqlError> {
        let params: Vec<JsValue> = statement.params.into_iter().map(parameter).collect();
        self.database()?
            .prepare(statement.sql)
            .bind(&params)
            .map_err(failure)
    }
}

impl Sql for D1 {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        let result = self.prepare(statement)?.all().await.map_err(failure)?;
        result.results().map_err(SqlError::corrupt)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        let prepared = statements
            .into_iter()
            .map(|statement| self.prepare(statement));
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        self.database()?
            .batch(prepared)
            .await
            .map(drop)
            .map_err(failure)
    }
}

fn parameter(value: Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        // The type guarantees a safe integer, which a JavaScript number represents exactly.
        #[allow(clippy::cast_precision_loss, reason = "within ±(2^53 − 1)")]
        Value::Integer(number) => JsValue::from_f64(number.get() as f64),
        Value::Text(text) => JsValue::from_str(&text),
    }
}

/// Takes the message of the cause: `Display` would add a JavaScript stack.
fn failure(error: worker::Error) -> SqlError {
    match error {
        worker::Error::D1(error) => SqlError::from_message(error.cause()),
        other => SqlError::from_message(other.to_string()),
    }
}
