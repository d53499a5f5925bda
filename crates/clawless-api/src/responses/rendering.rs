//! What the Responses surface needs of a request to render its answer.

use clawless_core::llm::LlmResponse;
use clawless_core::{ApiError, ErrorCode, Timestamp};

use super::echo::{ResponseEcho, StoredEcho};
use super::writer::ResponseWriter;
use crate::activity::ToolActivity;
use crate::answer_head::AnswerHead;

/// How the answer to a request is rendered as a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponsesRendering {
    echo: ResponseEcho,
    /// Whether a body tells that its answer broke off, as that of a stored response does.
    pub(crate) with_failures: bool,
}

impl ResponsesRendering {
    /// The rendering of the answer to a request.
    pub(super) const fn of_request(echo: ResponseEcho) -> Self {
        Self {
            echo,
            with_failures: false,
        }
    }

    /// The rendering of a stored response.
    pub const fn of_stored(echo: ResponseEcho) -> Self {
        Self {
            echo,
            with_failures: true,
        }
    }

    /// What the response repeats of its request.
    pub const fn echo(&self) -> &ResponseEcho {
        &self.echo
    }

    /// The echo to store with a turn whose first messages, `inputs` of them, are its input, and whose
    /// answer has this reasoning and was complete at this time.
    pub fn stored_echo(
        &self,
        inputs: usize,
        reasoning: Option<&str>,
        completed: Option<Timestamp>,
    ) -> StoredEcho {
        StoredEcho {
            echo: self.echo.clone(),
            inputs,
            reasoning: reasoning.map(str::to_owned),
            completed,
        }
    }

    /// The writer of a stream.
    pub fn writer(&self, head: AnswerHead) -> Box<ResponseWriter> {
        Box::new(ResponseWriter::new(head, self.echo.clone()))
    }

    /// The body of a whole answer; `incomplete` is the reason of an answer that broke off.
    pub fn body(
        &self,
        head: AnswerHead,
        answer: LlmResponse,
        activity: &[ToolActivity],
        incomplete: Option<ErrorCode>,
    ) -> String {
        let mut writer = ResponseWriter::new(head, self.echo.clone());
        writer.activity(activity);
        let failure = incomplete.map(|code| ApiError::new(code, code.why()));
        writer.whole(answer, failure.as_ref())
    }
}

/// The name of a parameter of the domain, as this surface's clients know it.
pub(crate) fn parameter_name(name: &str) -> &str {
    match name {
        "max_tokens" | "max_completion_tokens" => "max_output_tokens",
        "response_format" => "text.format",
        "verbosity" => "text.verbosity",
        "reasoning_effort" => "reasoning.effort",
        "logprobs" => "include",
        "messages" => "input",
        "session_id" => "conversation",
        other => other,
    }
}
