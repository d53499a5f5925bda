//! The rendering of answers, by surface.

use clawless_core::json::Json;
use clawless_core::llm::LlmResponse;
use clawless_core::{ErrorCode, Timestamp};

use super::kind::Surface;
use super::writer::EventWriter;
use crate::activity::ToolActivity;
use crate::answer_head::AnswerHead;
use crate::chat::ChatRendering;
use crate::messages::{MessagesRendering, parameter_name};
use crate::responses::{self, ResponsesRendering};

/// How the answer to one request is rendered: its surface, with what the answer repeats or depends on
/// of the request. It lives from parsing to the last event, and replays of the answer use that of the
/// repeated request.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendering {
    /// As a chat completion.
    Chat(ChatRendering),
    /// As a message.
    Messages(MessagesRendering),
    /// As a response.
    Responses(ResponsesRendering),
}

impl Rendering {
    /// The surface.
    pub const fn surface(&self) -> Surface {
        match self {
            Self::Chat(_) => Surface::Chat,
            Self::Messages(_) => Surface::Messages,
            Self::Responses(_) => Surface::Responses,
        }
    }

    /// The writer of a stream.
    pub fn writer(&self, head: AnswerHead) -> EventWriter {
        match self {
            Self::Chat(chat) => EventWriter::Chat(chat.writer(head)),
            Self::Messages(messages) => EventWriter::Messages(messages.writer(head)),
            Self::Responses(responses) => EventWriter::Responses(responses.writer(head)),
        }
    }

    /// The body of a whole answer. `activity` is that of server tools; `incomplete` is why the answer
    /// broke off, if [`Self::has_incomplete_bodies`].
    ///
    /// # Errors
    /// The answer cannot be written as JSON.
    pub fn body(
        &self,
        head: AnswerHead,
        answer: LlmResponse,
        activity: Vec<ToolActivity>,
        incomplete: Option<ErrorCode>,
    ) -> Result<String, serde_json::Error> {
        match self {
            Self::Chat(chat) => chat.body(head, answer, activity, incomplete),
            Self::Messages(messages) => messages.body(&head, answer, activity),
            Self::Responses(responses) => Ok(responses.body(head, answer, &activity, incomplete)),
        }
    }

    /// The name of a parameter of the domain, as the surface's clients know it.
    pub fn parameter_name<'a>(&self, name: &'a str) -> &'a str {
        match self {
            Self::Chat(_) => name,
            Self::Messages(_) => parameter_name(name),
            Self::Responses(_) => responses::parameter_name(name),
        }
    }

    /// Whether a body can tell that its answer broke off. Otherwise such an answer is an error.
    pub const fn has_incomplete_bodies(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.with_status,
            Self::Messages(_) => false,
            Self::Responses(responses) => responses.with_failures,
        }
    }

    /// What a stored turn keeps beside its messages, to render its response again. `inputs` is the number
    /// of its messages that are input; the reasoning and the end are those of its answer.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn stored_echo(
        &self,
        inputs: usize,
        reasoning: Option<&str>,
        completed: Option<Timestamp>,
    ) -> Result<Option<Json>, serde_json::Error> {
        match self {
            Self::Chat(_) | Self::Messages(_) => Ok(None),
            Self::Responses(responses) => {
                let echo = responses.stored_echo(inputs, reasoning, completed);
                echo.to_json().map(Some)
            }
        }
    }
}
