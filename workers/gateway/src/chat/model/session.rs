//! A turn's session and the conversation that its model sees.

use clawless_core::ledger::SessionState;
use clawless_core::{ApiError, ErrorCode, Message, SessionId};
use clawless_store::hot::HotSession;
use clawless_store::turns::Fork;

use crate::tools::Toolbox;

/// A session before the turn.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSession {
    /// The session.
    pub id: SessionId,
    /// The head under which its history was read, and the length of that history.
    pub state: SessionState,
    /// Whether the turn creates it.
    pub is_new: bool,
    /// The history of another session that it begins with, and the bytes of the settings that it
    /// takes from there.
    pub fork: Option<(Fork, u64)>,
    /// The session with its history, if that is short enough for the cache.
    pub hot: Option<HotSession>,
}

/// The conversation that the model sees, and its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// The session, if the request names one.
    pub session: Option<OpenSession>,
    /// The system prompts of tenant and session, the history, and the request's messages.
    pub messages: Vec<Message>,
    /// The request's messages that the session stores.
    pub input: Vec<Message>,
    /// The enabled server tools.
    pub toolbox: Toolbox,
    /// The part of the history that does not fit the model's window.
    pub dropped: DroppedHistory,
    /// The bytes that were counted while the history was loaded.
    pub counted: usize,
}

/// The copies of a conversation that a turn holds: its own, and the provider's request.
const CONVERSATION_COPIES: usize = 2;

impl Conversation {
    /// The bytes that a turn holds of its conversation, and of the copy for the cache.
    pub fn bytes(&self) -> usize {
        let lengths = self.messages.iter().map(|it| it.raw().as_str().len());
        let hot = self.session.as_ref().and_then(|it| it.hot.as_ref());
        let hot = hot.map_or(0, |hot| hot.history.bytes());
        let shown = lengths.sum::<usize>().saturating_mul(CONVERSATION_COPIES);
        shown.saturating_add(usize::try_from(hot).unwrap_or(usize::MAX))
    }
}

/// Messages of the history that the model does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DroppedHistory {
    /// Their number.
    pub messages: usize,
    /// Whether there are earlier messages that were not even read.
    pub and_more: bool,
}

impl DroppedHistory {
    /// The header's value: `12`, or `12+`; `None` if the history is complete.
    pub fn header(self) -> Option<String> {
        let more = if self.and_more { "+" } else { "" };
        (self.and_more || self.messages > 0).then(|| format!("{}{more}", self.messages))
    }
}

/// The error for every session that the caller cannot use: never created, deleted, expired, or
/// another tenant's.
pub fn session_not_found() -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, "There is no such session.")
}
