//! Sessions and messages as these routes answer them. Times are in seconds since 1970, as `OpenAI`
//! counts them.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::{Message, MessageId, RequestId, Role, Session, SessionId, Tokens};
use clawless_store::messages::ListedMessage;
use serde::Serialize;

/// A session.
#[derive(Serialize)]
pub(super) struct SessionObject<'a> {
    id: &'a SessionId,
    object: &'static str,
    title: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    system_prompt: Option<&'a str>,
    model: Option<&'a str>,
    thinking_level: Option<ReasoningEffort>,
    tools: Option<&'a [String]>,
    token_total: Tokens,
    created_at: u64,
    updated_at: u64,
    expires_at: Option<u64>,
}

impl<'a> SessionObject<'a> {
    pub(super) fn of(session: &'a Session) -> Self {
        Self {
            id: &session.id,
            object: "session",
            title: session.title.as_deref(),
            metadata: &session.metadata,
            system_prompt: session.system_prompt.as_deref(),
            model: session.model.as_deref(),
            thinking_level: session.thinking_level,
            tools: session.tools.as_deref(),
            token_total: session.token_total,
            created_at: session.created_at.as_secs(),
            updated_at: session.updated_at.as_secs(),
            expires_at: session.expires_at.map(clawless_core::Timestamp::as_secs),
        }
    }
}

/// A stored message. `message` is what was said, byte for byte, and can be sent to a model again.
#[derive(Serialize)]
pub(super) struct MessageObject {
    id: MessageId,
    object: &'static str,
    role: Role,
    message: Message,
    /// The request whose turn the message belongs to.
    request_id: RequestId,
    /// The model that answered in the turn.
    model: String,
    /// How the turn ended: `complete`, or `incomplete` for the reason beside it.
    status: &'static str,
    incomplete_reason: Option<String>,
    created_at: u64,
}

impl From<ListedMessage> for MessageObject {
    fn from(listed: ListedMessage) -> Self {
        Self {
            id: listed.id,
            object: "session.message",
            role: listed.message.role(),
            message: listed.message,
            request_id: listed.request,
            model: listed.model,
            status: match listed.incomplete_reason {
                None => "complete",
                Some(_) => "incomplete",
            },
            incomplete_reason: listed.incomplete_reason,
            created_at: listed.created_at.as_secs(),
        }
    }
}

/// What was deleted.
#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the API's own names")]
pub(super) struct Deleted<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) deleted: bool,
}
