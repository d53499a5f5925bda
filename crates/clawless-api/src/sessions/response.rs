//! Objects in session responses. Times are in seconds since 1970, as in `OpenAI`'s API.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::time_zone::TimeZone;
use clawless_core::tool::{ToolExecution, ToolOutcome};
use clawless_core::{
    Message, MessageId, Millis, RequestId, Role, Session, SessionId, Timestamp, Tokens,
};
use serde::Serialize;

/// A session.
#[derive(Debug, Serialize)]
pub struct SessionObject<'a> {
    id: &'a SessionId,
    object: &'static str,
    title: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    system_prompt: Option<&'a str>,
    model: Option<&'a str>,
    thinking_level: Option<ReasoningEffort>,
    tools: Option<&'a [String]>,
    time_zone: Option<TimeZone>,
    token_total: Tokens,
    created_at: u64,
    updated_at: u64,
    expires_at: Option<u64>,
}

impl<'a> From<&'a Session> for SessionObject<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: &session.id,
            object: "session",
            title: session.title.as_deref(),
            metadata: &session.metadata,
            system_prompt: session.system_prompt.as_deref(),
            model: session.model.as_deref(),
            thinking_level: session.thinking_level,
            tools: session.tools.as_deref(),
            time_zone: session.time_zone,
            token_total: session.token_total,
            created_at: session.created_at.as_secs(),
            updated_at: session.updated_at.as_secs(),
            expires_at: session.expires_at.map(Timestamp::as_secs),
        }
    }
}

/// A stored message. `message` is the original message, byte for byte; clients can send it to a
/// model again. One of Anthropic's content blocks is shown in the format of chat completions, except
/// for blocks that this format has no place for.
#[derive(Debug, Serialize)]
pub struct MessageObject {
    id: MessageId,
    object: &'static str,
    role: Role,
    message: Message,
    request_id: RequestId,
    model: String,
    status: &'static str,
    incomplete_reason: Option<String>,
    created_at: u64,
}

impl MessageObject {
    /// A message of the turn of `request_id`, answered by `model`. The turn is `incomplete` where
    /// there is an `incomplete_reason`, else `complete`.
    pub fn new(
        id: MessageId,
        message: Message,
        request_id: RequestId,
        model: String,
        incomplete_reason: Option<String>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            object: "session.message",
            role: message.role(),
            message: message.to_chat_form().ok().flatten().unwrap_or(message),
            request_id,
            model,
            status: match incomplete_reason {
                None => "complete",
                Some(_) => "incomplete",
            },
            incomplete_reason,
            created_at: created_at.as_secs(),
        }
    }
}

/// One execution of a server tool.
#[derive(Debug, Serialize)]
pub struct ToolExecutionObject {
    id: String,
    object: &'static str,
    request_id: String,
    /// The API key of the request; null in records of older versions.
    key_id: Option<String>,
    call_id: String,
    tool: String,
    /// As the model wrote them; JSON where they are valid.
    arguments: String,
    status: ToolOutcome,
    /// The result that the model received.
    result: String,
    created_at: u64,
    duration_ms: Millis,
}

impl From<ToolExecution> for ToolExecutionObject {
    fn from(execution: ToolExecution) -> Self {
        Self {
            id: execution.id.as_str().to_owned(),
            object: "tool_execution",
            request_id: execution.request_id.as_str().to_owned(),
            key_id: execution.key_id.map(|id| id.as_str().to_owned()),
            call_id: execution.call.id,
            tool: execution.call.name,
            arguments: execution.call.arguments,
            status: execution.outcome,
            result: execution.result,
            created_at: execution.started_at.as_secs(),
            duration_ms: execution.duration,
        }
    }
}

/// A deleted object.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names, reason = "the API's own names")]
pub struct Deleted<'a> {
    id: &'a str,
    object: &'static str,
    deleted: bool,
}

impl<'a> Deleted<'a> {
    /// The response to the deletion of `id`; `object` is a name such as `session.deleted`.
    pub const fn new(id: &'a str, object: &'static str) -> Self {
        Self {
            id,
            object,
            deleted: true,
        }
    }
}
