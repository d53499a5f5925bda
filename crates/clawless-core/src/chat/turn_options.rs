//! What a request says about its turn, beyond the parameters of the model.

use crate::ids::RequestId;

/// How a turn is stored, which history it continues, and which server tools it may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TurnOptions {
    /// How many messages at the beginning of the request apply to it alone: no session stores them.
    pub transient: usize,
    /// The request whose turn this one continues.
    pub previous: Option<RequestId>,
    /// Whether the turn is stored.
    pub storing: Storing,
    /// The server tools that the request names; `None` for all that are enabled.
    pub server_tools: Option<Vec<String>>,
    /// The most calls of server tools.
    pub max_tool_calls: Option<u32>,
    /// Whether a history that does not fit the model's window is an error. Otherwise its oldest turns
    /// are left out.
    pub needs_whole_history: bool,
}

/// Whether a turn is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storing {
    /// In the session that the request names, if it names one.
    #[default]
    InNamedSession,
    /// Always: in a new session, if the request names none.
    Always,
    /// Never. A session that the request names is only read.
    Never,
}
