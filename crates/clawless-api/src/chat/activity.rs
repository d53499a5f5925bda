//! What a client hears of the server's tools: an extension of `OpenAI`'s wire, under one member
//! that no SDK knows.

use clawless_core::Millis;
use clawless_core::tool::{ToolCall, ToolExecution, ToolOutcome};
use serde::Serialize;

/// What a server tool does, as it stands in `clawless.tool_executions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolActivity {
    /// The call's id, which both of its states share.
    call_id: String,
    /// The tool's name.
    tool: String,
    /// `running`, or how it ended.
    status: &'static str,
    /// The record's id and how long it took, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<Millis>,
}

/// The member `clawless` of a chunk and of a body.
#[derive(Debug, Serialize)]
pub(super) struct Extension<A> {
    pub(super) tool_executions: A,
}

impl ToolActivity {
    /// A call that is about to run.
    pub fn running(call: &ToolCall) -> Self {
        Self {
            call_id: call.id.clone(),
            tool: call.name.clone(),
            status: "running",
            id: None,
            duration_ms: None,
        }
    }

    /// A call that has ended.
    pub fn ended(execution: &ToolExecution) -> Self {
        Self {
            call_id: execution.call.id.clone(),
            tool: execution.call.name.clone(),
            status: ToolOutcome::as_str(execution.outcome),
            id: Some(execution.id.as_str().to_owned()),
            duration_ms: Some(execution.duration),
        }
    }
}
