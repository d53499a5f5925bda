//! JSON merge patches (RFC 7396) of settings.

use clawless_core::{ApiError, ErrorCode};
use serde_json::Value;

use crate::body;

/// Parses the body of a request.
///
/// # Errors
/// 400 if it is not an object.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let patch: Value = body::read_settings(body)?;
    if patch.is_object() {
        return Ok(patch);
    }
    let message = "The body must be a JSON object.";
    Err(ApiError::new(ErrorCode::InvalidType, message))
}

/// Applies a JSON merge patch (RFC 7396). Parsing has limited the depth of both values.
pub(super) fn merge(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch;
    };
    let mut merged = match target {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            merged.remove(&name);
        } else {
            let present = merged.remove(&name).unwrap_or(Value::Null);
            merged.insert(name, merge(present, value));
        }
    }
    Value::Object(merged)
}
