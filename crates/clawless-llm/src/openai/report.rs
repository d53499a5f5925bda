//! Errors inside responses with a successful status.

use clawless_core::json::Json;
use serde_json::{Value, json};

use super::wire::{BaseResponse, Envelope};
use crate::error::LlmError;
use crate::failure;

/// The error in an envelope, instead of a response or in the middle of a stream.
pub(super) fn of_envelope(envelope: &Envelope) -> Option<LlmError> {
    if let Some(error) = envelope.error.as_ref().and_then(of_json) {
        return Some(error);
    }
    if let Some(status) = envelope.base_resp.0.as_ref()
        && status.code.0.is_some_and(|code| code != 0)
    {
        return Some(of_base_response(status));
    }
    let signs = &envelope.signs;
    let is_error = envelope.object.0.as_deref() == Some("error");
    let has_message = envelope.message.0.is_some() || signs.message.is_some();
    let is_alone = envelope.choices.0.is_empty() && envelope.usage.is_none();
    if is_error || (is_alone && (has_message || signs.has_failed)) {
        let message = envelope.message.0.as_deref().map(Value::from);
        let other = signs.message.as_ref().and_then(|json| json.read().ok());
        let error = json!({"message": message.or(other), "code": envelope.code.0});
        return Some(failure::reported(&error));
    }
    None
}

/// The error in a member `error`; `None` if the member means "no error".
pub(super) fn of_json(error: &Json) -> Option<LlmError> {
    if matches!(
        error.as_str(),
        "false" | "0" | "\"\"" | "[]" | "{}" | "\"null\""
    ) {
        return None;
    }
    Some(failure::reported(
        &error.read::<Value>().unwrap_or_default(),
    ))
}

/// Maps `MiniMax`'s status codes (its documentation, "Error codes").
fn of_base_response(status: &BaseResponse) -> LlmError {
    let message = status.message.0.as_deref().unwrap_or("without a message");
    let message = failure::one_line(message);
    if let LlmError::ContextLength = failure::reported(&json!({"message": message})) {
        return LlmError::ContextLength;
    }
    match status.code.0 {
        Some(1002 | 1039 | 1041 | 2045) => LlmError::RateLimited { retry_after: None },
        Some(1004 | 1008 | 2049 | 2056) => LlmError::Misconfigured { status: 200 },
        Some(1026 | 1027 | 2013) => failure::invalid(Some(message)),
        Some(1000 | 1001 | 1013 | 1024 | 1033) => LlmError::ServerError {
            status: 500,
            retry_after: None,
        },
        _ => LlmError::Reported(message),
    }
}
