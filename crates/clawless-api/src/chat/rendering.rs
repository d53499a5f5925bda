//! What the chat surface needs of a request to render its answer.

use clawless_core::llm::LlmResponse;
use clawless_core::{ErrorCode, RequestId};

use super::chunk::ChunkWriter;
use super::response::ChatCompletionResponse;
use crate::activity::ToolActivity;
use crate::answer_head::AnswerHead;

/// How the answer to a chat request is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChatRendering {
    /// Whether a stream ends with its usage.
    pub include_usage: bool,
    /// Whether a body has a `status`, which says whether the answer is complete.
    pub with_status: bool,
}

impl ChatRendering {
    /// The writer of a stream.
    pub fn writer(self, head: AnswerHead) -> ChunkWriter {
        let id = completion_id(&head.request);
        ChunkWriter::new(id, head.created, head.model, self.include_usage)
    }

    /// The body of a whole answer; `incomplete` is the reason of an answer that broke off.
    ///
    /// # Errors
    /// The answer cannot be written as JSON.
    pub fn body(
        self,
        head: AnswerHead,
        answer: LlmResponse,
        activity: Vec<ToolActivity>,
        incomplete: Option<ErrorCode>,
    ) -> Result<String, serde_json::Error> {
        let id = completion_id(&head.request);
        let mut body = ChatCompletionResponse::new(id, head.created, head.model, answer);
        if !activity.is_empty() {
            body = body.with_activity(activity);
        }
        if self.with_status {
            body = body.with_status(incomplete);
        }
        serde_json::to_string(&body)
    }
}

/// The completion's id: the request's, with `OpenAI`'s prefix.
fn completion_id(request: &RequestId) -> String {
    format!("chatcmpl-{}", request.bare())
}
