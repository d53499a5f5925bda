//! Messages from one session to another.

use serde::{Deserialize, Serialize};

use crate::ids::{SendId, SessionId, TenantId};

/// The maximum number of messages in a chain from session to session.
pub const MAX_HOPS: u32 = 4;

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendState {
    /// Stored, not yet delivered.
    Queued,
    /// The turn of the receiving session is running.
    Running,
    /// Stored in the receiving session; its response was interrupted.
    Delivered,
    /// Stored in the receiving session, with a complete response.
    Replied,
    /// Not delivered.
    Failed,
}

impl SendState {
    /// Whether the state is final.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Delivered | Self::Replied | Self::Failed)
    }
}

/// A queue message: the id of a stored message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendJob {
    /// The tenant.
    pub tenant: TenantId,
    /// The id of the message.
    pub send: SendId,
}

/// The origin of a turn: a client, or a message of another session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendOrigin {
    /// The message, for a turn that a message started.
    pub send: Option<SendId>,
    /// The number of messages in the chain.
    pub hops: u32,
    /// The sessions in the chain, which may wait for this turn.
    pub path: Vec<SessionId>,
}
