//! A turn on its way into the database.

use clawless_core::chat::{FinishReason, Message, Role, Usage};
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_core::{
    ErrorCode, KeyId, MessageId, MicroDollars, Provenance, RequestId, SendId, SessionId, Timestamp,
    Tokens, ToolExecution,
};
use serde::{Deserialize, Serialize};

use crate::idempotency::Kept;

/// The longest message that is stored, in bytes: D1 takes 2 MB a row, the other columns included.
pub const MAX_MESSAGE_BYTES: usize = 1_999_000;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Option<String>", into = "Option<String>")]
pub enum TurnStatus {
    /// As the model wanted.
    Complete,
    /// It broke off; the reason is the code that the client was told.
    Incomplete(ErrorCode),
}

/// A message and the id it is stored under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MessageParts", into = "MessageParts")]
pub struct NewMessage {
    /// The message's id.
    pub id: MessageId,
    /// The message.
    pub message: Message,
}

/// A turn to be stored. Serialises, so that one which the database refuses can wait elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewTurn {
    /// The session that it belongs to. One with a name of the client's own is made by its first
    /// turn; one with a generated id must be there.
    pub session: SessionId,
    /// The head under which the history was read.
    pub expected: SessionHead,
    /// The request that made it.
    pub request: RequestId,
    /// The key that asked for it.
    pub key: Option<KeyId>,
    /// How it ended.
    pub status: TurnStatus,
    /// Why the model stopped, where it did.
    pub finish_reason: Option<FinishReason>,
    /// The model that answered.
    pub model: String,
    /// The provider that served it.
    pub provider: String,
    /// What the call used.
    pub usage: Usage,
    /// What the call cost.
    pub cost: MicroDollars,
    /// How the usage is known.
    pub provenance: Provenance,
    /// Tokens that the turn's messages add to the history.
    pub stored_tokens: Tokens,
    /// What came in and what was answered, in order.
    pub messages: Vec<NewMessage>,
    /// What server tools did in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executions: Vec<ToolExecution>,
    /// The message that it answers, which comes to its end with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<SendId>,
    /// When the request came in.
    pub created_at: Timestamp,
    /// The answer to whoever asks the same again, where the request has an idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

impl TryFrom<Option<String>> for TurnStatus {
    type Error = &'static str;

    fn try_from(reason: Option<String>) -> Result<Self, &'static str> {
        let Some(reason) = reason else {
            return Ok(Self::Complete);
        };
        let mut codes = ErrorCode::ALL.iter().copied();
        let code = codes.find(|code| code.as_str() == reason);
        code.map(Self::Incomplete).ok_or("not a code of the catalogue")
    }
}

impl From<TurnStatus> for Option<String> {
    fn from(status: TurnStatus) -> Self {
        match status {
            TurnStatus::Complete => None,
            TurnStatus::Incomplete(code) => Some(code.as_str().to_owned()),
        }
    }
}

/// A message as it serialises: its text stays as it is, byte for byte.
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
