//! The JSON of stream events.

use clawless_core::json::Json;
use clawless_core::members::Members;
use serde::Serialize;

use super::usage::MessageUsage;
use crate::activity::{Extension, ToolActivity};

/// An event.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    MessageStart {
        message: MessageStart<'a>,
    },
    ContentBlockStart {
        index: u32,
        content_block: BlockStart<'a>,
    },
    ContentBlockDelta {
        index: u32,
        delta: BlockDelta<'a>,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: MessageEnd<'a>,
        usage: MessageUsage,
    },
    MessageStop,
}

/// The message before its content. Its usage is not known yet: `message_delta` has all of it.
#[derive(Debug, Serialize)]
pub(super) struct MessageStart<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'static str>,
    stop_details: (),
    container: (),
    diagnostics: (),
    usage: MessageUsage,
}

/// A block before its deltas.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BlockStart<'a> {
    Text {
        text: &'static str,
    },
    Thinking {
        thinking: &'static str,
        signature: &'static str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Empty,
    },
    /// A whole block of reasoning.
    #[serde(untagged)]
    Signed(Members),
    /// A whole block, as its provider wrote it.
    #[serde(untagged)]
    Whole(&'a Json),
}

/// An object without members.
#[derive(Debug, Serialize)]
pub(super) struct Empty {}

/// The addition of a delta to a block.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(super) enum BlockDelta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "citations_delta")]
    Citation { citation: &'a Json },
}

/// The end of the message.
#[derive(Debug, Serialize)]
pub(super) struct MessageEnd<'a> {
    pub(super) stop_reason: &'static str,
    pub(super) stop_sequence: Option<&'a str>,
    pub(super) stop_details: (),
    pub(super) container: (),
}

#[derive(Serialize)]
struct Ping<'a> {
    r#type: &'static str,
    clawless: Extension<&'a [ToolActivity]>,
}

impl<'a> MessageStart<'a> {
    pub(super) fn new(id: String, model: &'a str) -> Self {
        Self {
            id,
            r#type: "message",
            role: "assistant",
            model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            stop_details: (),
            container: (),
            diagnostics: (),
            usage: MessageUsage::default(),
        }
    }
}

impl<'a> BlockStart<'a> {
    pub(super) const TEXT: Self = Self::Text { text: "" };
    pub(super) const THINKING: Self = Self::Thinking {
        thinking: "",
        signature: "",
    };

    pub(super) const fn call(id: &'a str, name: &'a str) -> Self {
        let input = Empty {};
        Self::ToolUse { id, name, input }
    }
}

impl Event<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }
}

/// Appends an event. Model output is encoded as JSON, so it cannot leave its `data:` line.
pub(super) fn write(event: &Event<'_>, out: &mut String) {
    // Serializing strings and numbers cannot fail.
    let json = serde_json::to_string(event).unwrap_or_default();
    append(event.name(), &json, out);
}

/// Appends the activity of server tools.
pub(super) fn write_activity(tool_executions: &[ToolActivity], out: &mut String) {
    let ping = Ping {
        r#type: "ping",
        clawless: Extension { tool_executions },
    };
    append(
        "ping",
        &serde_json::to_string(&ping).unwrap_or_default(),
        out,
    );
}

fn append(name: &str, json: &str, out: &mut String) {
    out.extend(["event: ", name, "\ndata: "]);
    if json.contains(['\n', '\r']) {
        // A provider's JSON may contain line ends between its tokens. They would end the event.
        out.push_str(&json.replace(['\n', '\r'], " "));
    } else {
        out.push_str(json);
    }
    out.push_str("\n\n");
}
