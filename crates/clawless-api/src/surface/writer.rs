//! Writers of stream events, by surface.

use clawless_core::chat::Usage;
use clawless_core::llm::LlmEvent;
use clawless_core::{ApiError, Timestamp};

use crate::activity::ToolActivity;
use crate::chat::{self, ChunkWriter};
use crate::messages::{self, MessageWriter};
use crate::responses::ResponseWriter;

/// Writes the events of one streamed answer. Every stream has exactly one end: [`Self::finish`] or
/// [`Self::fail`].
#[derive(Debug)]
pub enum EventWriter {
    /// Chunks of a chat completion.
    Chat(ChunkWriter),
    /// Events of a message.
    Messages(MessageWriter),
    /// Events of a response.
    Responses(Box<ResponseWriter>),
}

impl EventWriter {
    /// Appends an event of the answer.
    pub fn event(&mut self, event: &LlmEvent, out: &mut String) {
        match self {
            Self::Chat(writer) => writer.event(event, out),
            Self::Messages(writer) => writer.event(event, out),
            Self::Responses(writer) => writer.event(event, out),
        }
    }

    /// Appends activity of server tools.
    pub fn activity(&mut self, activity: &[ToolActivity], out: &mut String) {
        match self {
            Self::Chat(writer) => writer.activity(activity, out),
            Self::Messages(writer) => writer.activity(activity, out),
            Self::Responses(writer) => writer.activity(activity),
        }
    }

    /// Sets the time that the end of a complete answer reports, if the surface reports it.
    pub fn set_completed(&mut self, at: Option<Timestamp>) {
        if let Self::Responses(writer) = self {
            writer.set_completed(at);
        }
    }

    /// Appends the end of a complete answer.
    pub fn finish(&mut self, usage: Usage, out: &mut String) {
        match self {
            Self::Chat(writer) => writer.finish(usage, out),
            Self::Messages(writer) => writer.finish(usage, out),
            Self::Responses(writer) => writer.finish(usage, out),
        }
    }

    /// Appends the end of an answer that broke off, which no client takes for a complete one.
    pub fn fail(&mut self, error: &ApiError, out: &mut String) {
        match self {
            Self::Chat(writer) => writer.fail(error, out),
            Self::Messages(writer) => writer.fail(error, out),
            Self::Responses(writer) => writer.fail(error, out),
        }
    }

    /// What shows a waiting client that the request still runs. May precede every event.
    pub const fn keep_alive(&self) -> &'static str {
        match self {
            Self::Chat(_) | Self::Responses(_) => chat::KEEP_ALIVE,
            Self::Messages(_) => messages::PING,
        }
    }

    /// The whole stream of an answer, which ends with `failure` if there is one.
    pub fn whole(
        mut self,
        events: &[LlmEvent],
        usage: Usage,
        failure: Option<&ApiError>,
    ) -> String {
        let mut out = String::new();
        for event in events {
            self.event(event, &mut out);
        }
        match failure {
            None => self.finish(usage, &mut out),
            Some(error) => self.fail(error, &mut out),
        }
        out
    }
}
