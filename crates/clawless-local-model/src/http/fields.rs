//! Reads members of a JSON object; every error names the member.

use crate::error::ApiError;
use serde_json::{Map, Value};

/// An object of the request and the path to it, such as `stream_options.`.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    /// The members of `value`; `path` is empty for the body itself.
    pub(crate) fn of(value: &'a Value, path: &str) -> Result<Self, ApiError> {
        let Some(object) = value.as_object() else {
            return Err(if path.is_empty() {
                ApiError::unreadable("The request body must be a JSON object.")
            } else {
                wrong_type(path, "an object", value)
            });
        };
        let path = if path.is_empty() {
            String::new()
        } else {
            format!("{path}.")
        };
        Ok(Self { object, path })
    }

    /// The full name of a member in errors.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    /// A member; one that is null counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// A required member.
    pub(crate) fn required(&self, key: &str) -> Result<&'a Value, ApiError> {
        self.get(key).ok_or_else(|| {
            let name = self.name(key);
            ApiError::invalid(&name, format!("Missing required parameter: '{name}'."))
        })
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, ApiError> {
        self.typed(key, "a string", Value::as_str)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, ApiError> {
        Ok(self
            .typed(key, "a boolean", Value::as_bool)?
            .unwrap_or(false))
    }

    pub(crate) fn array(&self, key: &str) -> Result<Option<&'a Vec<Value>>, ApiError> {
        self.typed(key, "an array", Value::as_array)
    }

    /// A number from `least` to `most`.
    pub(crate) fn number(&self, key: &str, least: f32, most: f32) -> Result<Option<f32>, ApiError> {
        #[allow(clippy::cast_possible_truncation, reason = "the range is small")]
        let number = self
            .typed(key, "a number", Value::as_f64)?
            .map(|number| number as f32);
        match number {
            Some(number) if !(least..=most).contains(&number) => {
                let name = self.name(key);
                Err(ApiError::invalid(
                    &name,
                    format!("Invalid '{name}': expected a number between {least} and {most}."),
                ))
            }
            other => Ok(other),
        }
    }

    /// A whole number of at least 1.
    pub(crate) fn count(&self, key: &str) -> Result<Option<usize>, ApiError> {
        let count = self.typed(key, "an integer", Value::as_i64)?;
        let Some(count) = count else { return Ok(None) };
        usize::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .map(Some)
            .ok_or_else(|| {
                let name = self.name(key);
                ApiError::invalid(&name, format!("Invalid '{name}': expected at least 1."))
            })
    }

    /// A 64-bit integer of either sign.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, ApiError> {
        self.typed(key, "an integer", Value::as_i64)
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        read(value)
            .map(Some)
            .ok_or_else(|| wrong_type(&self.name(key), expected, value))
    }
}

/// 400: a value of another type than expected.
pub(crate) fn wrong_type(name: &str, expected: &str, value: &Value) -> ApiError {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    ApiError::invalid(
        name,
        format!("Invalid type for '{name}': expected {expected}, but got {got} instead."),
    )
}
