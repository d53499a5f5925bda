//! What the messages surface needs of a request to render its answer.

use clawless_core::llm::LlmResponse;

use super::events::MessageWriter;
use super::whole;
use crate::activity::ToolActivity;
use crate::answer_head::AnswerHead;

/// How the answer to a request for a message is rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessagesRendering {
    /// The request's stop sequences: the answer names the one that ended it.
    pub stop_sequences: Vec<String>,
}

impl MessagesRendering {
    /// The writer of a stream.
    pub fn writer(&self, head: AnswerHead) -> MessageWriter {
        MessageWriter::new(head, self.stop_sequences.clone())
    }

    /// The body of a whole answer.
    ///
    /// # Errors
    /// The answer cannot be written as JSON.
    pub fn body(
        &self,
        head: &AnswerHead,
        answer: LlmResponse,
        activity: Vec<ToolActivity>,
    ) -> Result<String, serde_json::Error> {
        whole::body(head, answer, activity, &self.stop_sequences)
    }
}

/// The name of a parameter of the domain on this surface.
pub(crate) fn parameter_name(name: &str) -> &str {
    match name {
        "stop" => "stop_sequences",
        "user" => "metadata.user_id",
        "reasoning_effort" => "thinking",
        "response_format" => "output_config.format",
        "parallel_tool_calls" => "tool_choice.disable_parallel_tool_use",
        "tools[].function.strict" => "tools[].strict",
        other => other,
    }
}
