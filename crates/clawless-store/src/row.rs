//! Reading and writing columns that hold JSON, and the outcome of versioned updates.

use clawless_core::json::Json;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ports::{SqlError, SqlErrorKind};

/// Deserializes a column that holds JSON.
pub(crate) fn json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, SqlError> {
    serde_json::from_str(text).map_err(|error| corrupt(column, &error))
}

/// Reads a column that holds JSON, byte for byte.
pub(crate) fn raw_json(column: &str, text: String) -> Result<Json, SqlError> {
    Json::parse(text).map_err(|error| SqlError::corrupt(format!("{column}: {error}")))
}

/// Serializes a value for a column that holds JSON.
pub(crate) fn to_json<T: Serialize>(column: &str, value: &T) -> Result<String, SqlError> {
    serde_json::to_string(value).map_err(|error| corrupt(column, &error))
}

/// The name of an enum's variant, as serde spells it.
pub(crate) fn name_of<T: Serialize>(column: &str, value: &T) -> Result<String, SqlError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        Ok(other) => Err(SqlError::corrupt(format!(
            "{column}: {other} is not a name"
        ))),
        Err(error) => Err(corrupt(column, &error)),
    }
}

fn corrupt(column: &str, error: &serde_json::Error) -> SqlError {
    SqlError::corrupt(format!("{column}: {error}"))
}

/// The outcome of a batch that sets the column `version`, as `api_keys.version`, to NULL if the
/// record has changed: `false` if it has, and then nothing was stored.
pub(crate) fn unless_changed(
    outcome: Result<(), SqlError>,
    version: &str,
) -> Result<bool, SqlError> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) => match &error.kind {
            SqlErrorKind::Constraint(which)
                if which.strip_prefix("NOT NULL constraint failed: ") == Some(version) =>
            {
                Ok(false)
            }
            _ => Err(error),
        },
    }
}
