//! Reading and writing columns that hold more than a text or a number.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ports::{SqlError, SqlErrorKind};

/// Reads a column that holds JSON.
pub(crate) fn json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, SqlError> {
    serde_json::from_str(text).map_err(|error| corrupt(column, &error))
}

/// Writes a value into a column that holds JSON.
pub(crate) fn to_json<T: Serialize>(column: &str, value: &T) -> Result<String, SqlError> {
    serde_json::to_string(value).map_err(|error| corrupt(column, &error))
}

/// Writes one of a closed set of names, as serde spells it.
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

/// What became of a batch that sets the column `version`, as `api_keys.version`, to NULL where the
/// record is no longer the expected one: `false` where it was not, and nothing was stored.
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
