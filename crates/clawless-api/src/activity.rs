//! Activity of server tools: an extension of every surface's format, in the member `clawless` that
//! SDKs ignore.

use clawless_core::Millis;
use clawless_core::tool::{ToolCall, ToolExecution, ToolOutcome};
use serde::Serialize;

/// The state of a server tool call, an element of `clawless.tool_executions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolActivity {
    /// The id of the call, the same in both states.
    call_id: String,
    /// The name of the tool.
    tool: String,
    /// `running`, or the outcome.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["running", "succeeded", "failed", "refused", "timed_out"])))]
    status: &'static str,
    /// The id of the record, after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<Millis>,
}

/// The member `clawless` of a chunk or body.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ClawlessExtension")
)]
pub(crate) struct Extension<A> {
    /// The calls of server tools.
    pub(crate) tool_executions: A,
}

impl ToolActivity {
    /// A call that starts.
    pub fn running(call: &ToolCall) -> Self {
        Self {
            call_id: call.id.clone(),
            tool: call.name.clone(),
            status: "running",
            id: None,
            duration_ms: None,
        }
    }

    /// Whether this is another state of the same call.
    pub(crate) fn is_same_call(&self, other: &Self) -> bool {
        self.call_id == other.call_id
    }

    /// A completed call.
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
