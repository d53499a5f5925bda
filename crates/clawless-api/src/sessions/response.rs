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
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Session")
)]
pub struct SessionObject<'a> {
    /// The id.
    id: &'a SessionId,
    /// Always `session`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "session")))]
    object: &'static str,
    /// The title.
    title: Option<&'a str>,
    /// The labels.
    metadata: &'a BTreeMap<String, String>,
    /// The system prompt, after that of the tenant.
    system_prompt: Option<&'a str>,
    /// The model for requests without one.
    model: Option<&'a str>,
    /// The reasoning effort for requests without one.
    thinking_level: Option<ReasoningEffort>,
    /// The server tools; those of the tenant if null.
    tools: Option<&'a [String]>,
    /// The time zone of dates in the system prompt; that of the tenant if null.
    time_zone: Option<TimeZone>,
    /// The tokens of the stored history.
    token_total: Tokens,
    /// When it was created, in seconds since 1970 (UTC).
    created_at: u64,
    /// When it last changed, in seconds since 1970 (UTC).
    updated_at: u64,
    /// When it is deleted, in seconds since 1970 (UTC).
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
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "SessionMessage")
)]
pub struct MessageObject {
    /// The id.
    id: MessageId,
    /// Always `session.message`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "session.message")))]
    object: &'static str,
    /// The author.
    role: Role,
    /// The original message. It can be sent to a model again.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "crate::stored_message::StoredMessage")
    )]
    message: Message,
    /// The request that stored it.
    request_id: RequestId,
    /// The model that answered the turn.
    model: String,
    /// Whether the turn is whole.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["complete", "incomplete"])))]
    status: &'static str,
    /// The error code of the interruption.
    incomplete_reason: Option<String>,
    /// When it was stored, in seconds since 1970 (UTC).
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

/// A session with all its messages.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionExport<'a> {
    /// Always `session.export`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "session.export")))]
    object: &'static str,
    /// When it was exported, in seconds since 1970 (UTC).
    exported_at: u64,
    /// The session.
    session: SessionObject<'a>,
    /// All messages, oldest first.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<MessageObject>"))]
    messages: [MessageObject; 0],
}

impl<'a> SessionExport<'a> {
    /// What JSON of an export ends with after its messages.
    pub const END: &'static str = "]}";

    /// The export of a session at `now`, without its messages. They belong before [`Self::END`].
    pub fn new(session: SessionObject<'a>, now: Timestamp) -> Self {
        Self {
            object: "session.export",
            exported_at: now.as_secs(),
            session,
            messages: [],
        }
    }
}

/// One execution of a server tool.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ToolExecution")
)]
pub struct ToolExecutionObject {
    /// The id.
    id: String,
    /// Always `tool_execution`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "tool_execution")))]
    object: &'static str,
    /// The request.
    request_id: String,
    /// The API key of the request; null in records of older versions.
    key_id: Option<String>,
    /// The id of the call in the conversation.
    call_id: String,
    /// The name of the tool.
    tool: String,
    /// As the model wrote them; JSON where they are valid.
    arguments: String,
    /// The outcome.
    status: ToolOutcome,
    /// The result that the model received.
    result: String,
    /// When it started, in seconds since 1970 (UTC).
    created_at: u64,
    /// How long it took, in milliseconds.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(clippy::struct_field_names, reason = "the API's own names")]
pub struct Deleted<'a> {
    /// The id of the deleted object.
    id: &'a str,
    /// What was deleted.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["session.deleted", "session.message.deleted", "response", "conversation.deleted"])))]
    object: &'static str,
    /// Always true.
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
