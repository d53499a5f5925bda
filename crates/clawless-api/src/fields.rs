//! Validation of single parameters that several surfaces share.

use clawless_core::{ApiError, ErrorCode, SessionId, prompt};
use serde::de::IgnoredAny;

/// The maximum length of a model name.
const MAX_MODEL_BYTES: usize = 256;

/// The error for an invalid value of a parameter.
pub fn invalid(param: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidValue, message).param(param)
}

/// Validates a session id. `param` is the name of the parameter or header.
///
/// # Errors
/// 400 that names `param`.
pub fn check_session_id(text: &str, param: &str) -> Result<SessionId, ApiError> {
    text.parse()
        .map_err(|error| invalid(param, format!("Invalid `{param}`: {error}.")))
}

/// Rejects members that name identity or limits, which come from the API key: ignoring them would mislead
/// the client.
///
/// # Errors
/// 400 that names the first member with a value.
pub(crate) fn reject_identity(
    members: [(&'static str, &Option<IgnoredAny>); 3],
) -> Result<(), ApiError> {
    match members.into_iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(ApiError::new(
            ErrorCode::UnknownParameter,
            format!("`{name}` is not a parameter: identity and limits come from the API key."),
        )
        .param(name)),
        None => Ok(()),
    }
}

/// Validates the template of a system prompt.
///
/// # Errors
/// 400 that names the unknown variable.
pub(crate) fn check_template(prompt: &str) -> Result<(), ApiError> {
    prompt::check(prompt).map_err(|error| {
        invalid(
            "system_prompt",
            format!("Invalid `system_prompt`: {error}."),
        )
    })
}

/// Validates the name of a model.
///
/// # Errors
/// 400 that names `model`.
pub(crate) fn check_model(model: String) -> Result<String, ApiError> {
    let printable = model.chars().all(|c| !c.is_control());
    if model.is_empty() || model.len() > MAX_MODEL_BYTES || !printable {
        return Err(invalid(
            "model",
            format!("`model` is the name of a model, of 1 to {MAX_MODEL_BYTES} bytes."),
        ));
    }
    Ok(model)
}
