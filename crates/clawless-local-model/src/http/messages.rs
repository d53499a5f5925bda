//! Reading `messages`.

use super::fields::{Fields, wrong_type};
use crate::chat::{Message, Role};
use crate::error::ApiError;
use serde_json::Value;

/// The conversation; at least one message.
pub(crate) fn read(body: &Fields<'_>) -> Result<Vec<Message>, ApiError> {
    let value = body.required("messages")?;
    let Some(list) = value.as_array() else {
        return Err(wrong_type("messages", "an array of objects", value));
    };
    if list.is_empty() {
        return Err(ApiError::invalid(
            "messages",
            "Invalid 'messages': expected at least one message.",
        ));
    }
    list.iter()
        .enumerate()
        .map(|(index, value)| message(value, &format!("messages[{index}]")))
        .collect()
}

fn message(value: &Value, path: &str) -> Result<Message, ApiError> {
    let fields = Fields::of(value, path)?;
    fields.required("role")?;
    let role = match fields.text("role")?.unwrap_or_default() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        other => {
            return Err(ApiError::invalid(
                fields.name("role"),
                format!(
                    "Invalid value: '{other}'. Supported values are: 'developer', 'system', 'user', \
                     'assistant', 'tool', and 'function'."
                ),
            ));
        }
    };
    let calls = if role == Role::Assistant {
        calls(&fields)?
    } else {
        Vec::new()
    };
    let text = match fields.get("content") {
        Some(content) => text(content, &fields.name("content"))?,
        None if role == Role::Assistant => fields.text("refusal")?.unwrap_or_default().to_owned(),
        None => {
            fields.required("content")?;
            String::new()
        }
    };
    Ok(Message { role, text, calls })
}

/// A string, or the text parts in order.
fn text(content: &Value, path: &str) -> Result<String, ApiError> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => parts
            .iter()
            .enumerate()
            .map(|(index, part)| text_part(part, &format!("{path}[{index}]")))
            .collect(),
        other => Err(wrong_type(path, "a string or an array of parts", other)),
    }
}

fn text_part(part: &Value, path: &str) -> Result<String, ApiError> {
    let fields = Fields::of(part, path)?;
    fields.required("type")?;
    let kind = fields.text("type")?.unwrap_or_default();
    let member = match kind {
        "text" | "refusal" => kind,
        other => {
            return Err(ApiError::invalid(
                fields.name("type"),
                format!("The local model reads only text; it cannot take a '{other}' part."),
            ));
        }
    };
    fields.required(member)?;
    Ok(fields.text(member)?.unwrap_or_default().to_owned())
}

/// The calls that the assistant made earlier.
fn calls(message: &Fields<'_>) -> Result<Vec<(String, String)>, ApiError> {
    message
        .array("tool_calls")?
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, call)| {
            let call = Fields::of(call, &message.name(&format!("tool_calls[{index}]")))?;
            let function = Fields::of(call.required("function")?, &call.name("function"))?;
            function.required("name")?;
            let name = function.text("name")?.unwrap_or_default().to_owned();
            let arguments = function.text("arguments")?.unwrap_or_default();
            let arguments = if arguments.is_empty() {
                "{}"
            } else {
                arguments
            };
            Ok((name, arguments.to_owned()))
        })
        .collect()
}
