//! A turn to store.

use clawless_core::chat::{FinishReason, Message, Role, Usage};
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_core::{
    ErrorCode, KeyId, MessageId, MicroDollars, Provenance, RequestId, SendId, SessionId, Timestamp,
    Tokens, ToolExecution,
};
use serde::{Deserialize, Serialize};

use super::fork::Fork;
use crate::idempotency::StoredResponse;

/// The longest message that can be stored, in bytes: D1 accepts rows of 2 MB.
pub const MAX_MESSAGE_BYTES: usize = 1_999_000;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Option<String>", into = "Option<String>")]
pub enum TurnStatus {
    /// The model ended it.
    Complete,
    /// It broke off, with the error code that the client received.
    Incomplete(ErrorCode),
}

/// A message and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MessageParts", into = "MessageParts")]
pub struct NewMessage {
    /// The message's id.
    pub id: MessageId,
    /// The message.
    pub message: Message,
}

/// A turn to store. Serialises, so that it can be pending elsewhere while the database is
/// unavailable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewTurn {
    /// The session. One that the client named is created by its first turn; one with a generated id
    /// must exist.
    pub session: SessionId,
    /// The head under which the history was read.
    pub expected: SessionHead,
    /// The request.
    pub request: RequestId,
    /// The API key of the request.
    pub key: Option<KeyId>,
    /// How it ended.
    pub status: TurnStatus,
    /// Why the model stopped, if it did.
    pub finish_reason: Option<FinishReason>,
    /// The model that answered.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// The usage of the call.
    pub usage: Usage,
    /// The cost of the call.
    pub cost: MicroDollars,
    /// The source of the usage.
    pub provenance: Provenance,
    /// Tokens that the turn's messages add to the history.
    pub stored_tokens: Tokens,
    /// The messages of the request and of the response, in order.
    pub messages: Vec<NewMessage>,
    /// Executions of server tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executions: Vec<ToolExecution>,
    /// The message from another session that it answers, which ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<SendId>,
    /// When the request arrived.
    pub created_at: Timestamp,
    /// What the response repeats of its request, if its surface has such members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<Json>,
    /// The session whose history this one begins with. The turn then creates its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
    /// The response to store, if the request has an idempotency key.
    #[serde(default, rename = "kept", skip_serializing_if = "Option::is_none")]
    pub response: Option<StoredResponse>,
}

impl NewTurn {
    /// The bytes that its echo adds to the stored content.
    pub fn echo_bytes(&self) -> u64 {
        self.echo
            .as_ref()
            .map_or(0, |echo| echo.as_str().len() as u64)
    }
}

impl TurnStatus {
    /// Why the turn broke off, if it did.
    pub const fn incomplete_reason(self) -> Option<ErrorCode> {
        match self {
            Self::Complete => None,
            Self::Incomplete(code) => Some(code),
        }
    }
}

impl TryFrom<Option<String>> for TurnStatus {
    type Error = &'static str;

    fn try_from(reason: Option<String>) -> Result<Self, &'static str> {
        let Some(reason) = reason else {
            return Ok(Self::Complete);
        };
        let mut codes = ErrorCode::ALL.iter().copied();
        let code = codes.find(|code| code.as_str() == reason);
        code.map(Self::Incomplete).ok_or("not an error code")
    }
}

impl From<TurnStatus> for Option<String> {
    fn from(status: TurnStatus) -> Self {
        let code = status.incomplete_reason();
        code.map(|code| code.as_str().to_owned())
    }
}

/// A message as it serialises, byte for byte.
#[derive(Clone, Serialize, Deserialize)]
struct MessageParts {
    id: MessageId,
    role: Role,
    raw: Json,
}

impl From<MessageParts> for NewMessage {
    fn from(parts: MessageParts) -> Self {
        Self {
            id: parts.id,
            message: Message::from_stored(parts.role, parts.raw),
        }
    }
}

impl From<NewMessage> for MessageParts {
    fn from(new: NewMessage) -> Self {
        Self {
            id: new.id,
            role: new.message.role(),
            raw: new.message.raw().clone(),
        }
    }
}
