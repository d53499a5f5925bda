//! Messages from one session to another.

use serde::{Deserialize, Serialize};

use crate::ids::{SendId, SessionId, TenantId};

/// How often a message may lead to another one, from session to session.
pub const MAX_HOPS: u32 = 4;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendState {
    /// It is stored, and waits for its session.
    Queued,
    /// Its session's turn is under way.
    Running,
    /// It stands in its session, whose answer broke off.
    Delivered,
    /// It stands in its session, and so does the answer.
    Replied,
    /// It will not be delivered.
    Failed,
}

impl SendState {
    /// Whether nothing more comes.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Delivered | Self::Replied | Self::Failed)
    }
}

/// What the queue carries: a message's name. All else stands in the database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendJob {
    /// Whose message it is.
    pub tenant: TenantId,
    /// The message.
    pub send: SendId,
}

/// How a turn came about: asked for by a client, or by a message of another session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendOrigin {
    /// The message that it answers.
    pub send: Option<SendId>,
    /// How many messages led to it.
    pub hops: u32,
    /// The sessions that those came from, which may wait for it.
    pub path: Vec<SessionId>,
}
