//! Streamed answers, decoded.

use clawless_core::llm::{Delta, LlmEvent};

use super::MAX_PARALLEL;
use super::tool_calls::ToolCalls;
use super::wire::{Choice, Envelope};
use super::{finish, usage, wire};
use crate::error::LlmError;
use crate::failure;
use crate::protocol::{Decoder, Progress};
use crate::sse::{SseDecoder, SseEvent};

/// The decoder of one streamed answer.
#[derive(Debug, Default)]
pub struct OpenAiDecoder {
    sse: SseDecoder,
    answer: Answer,
    done: bool,
}

impl Decoder for OpenAiDecoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        let (answer, done) = (&mut self.answer, &mut self.done);
        let pushed = self.sse.push(bytes, |event| {
            if !*done {
                *done = answer.event(event, out)? == Progress::Done;
            }
            Ok::<_, LlmError>(())
        });
        // Whatever comes after the end is of no interest, however broken it is.
        if self.done {
            return Ok(Progress::Done);
        }
        pushed.map(|()| Progress::More)
    }

    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        if !self.done {
            let answer = &mut self.answer;
            // A last event whose blank line never came counts where it can be read; else it is
            // what a cut left over.
            match self.sse.end(|event| answer.event(event, out).map(drop)) {
                Ok(()) | Err(LlmError::Malformed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.answer.check_whole()
    }

    fn has_begun(&self) -> bool {
        self.answer.has_begun()
    }

    fn is_whole(&self) -> bool {
        self.answer.check_whole().is_ok()
    }
}

/// What is known of an answer so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The server's id of the answer, from which ids of calls are made where it gives none.
    id: String,
    choices: Vec<Progressing>,
}

/// One of the `n` answers, under way.
#[derive(Debug)]
struct Progressing {
    index: u32,
    calls: ToolCalls,
    finished: bool,
}

impl Answer {
    fn event(
        &mut self,
        event: SseEvent<'_>,
        out: &mut Vec<LlmEvent>,
    ) -> Result<Progress, LlmError> {
        let data = event.data.trim();
        if data == "[DONE]" {
            self.check_whole()?;
            return Ok(Progress::Done);
        }
        if data.is_empty() {
            return Ok(Progress::More);
        }
        if event.name == "error" {
            let error = serde_json::from_str(data).unwrap_or_default();
            return Err(failure::reported(&error));
        }
        self.take(data.as_bytes(), out)?;
        Ok(Progress::More)
    }

    /// Takes a chunk of a stream, or a whole answer.
    pub(crate) fn take(&mut self, json: &[u8], out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let envelope: Envelope = serde_json::from_slice(json)
            .map_err(|error| LlmError::Malformed(format!("unreadable JSON: {error}")))?;
        if let Some(error) = envelope.error {
            return Err(failure::reported(&error.read().unwrap_or_default()));
        }
        if envelope.object.0.as_deref() == Some("error") {
            let error = serde_json::from_slice(json).unwrap_or_default();
            return Err(failure::reported(&error));
        }
        if self.id.is_empty() {
            self.id = envelope.id.0.unwrap_or_default();
        }
        for (position, choice) in (0..).zip(envelope.choices.unwrap_or_default()) {
            self.choice(position, choice, out)?;
        }
        if let Some(usage) = envelope.usage.as_ref().and_then(usage::read) {
            out.push(LlmEvent::Usage(usage));
        }
        Ok(())
    }

    /// Whether a piece of an answer was understood.
    pub(crate) const fn has_begun(&self) -> bool {
        !self.choices.is_empty()
    }

    /// Whether every answer has ended as it should.
    pub(crate) fn check_whole(&self) -> Result<(), LlmError> {
        if self.choices.is_empty() {
            return Err(LlmError::Malformed("there is no answer in it".to_owned()));
        }
        if self.choices.iter().all(|choice| choice.finished) {
            return Ok(());
        }
        Err(LlmError::Truncated("no finish reason came".to_owned()))
    }

    fn choice(
        &mut self,
        position: u32,
        choice: Choice,
        out: &mut Vec<LlmEvent>,
    ) -> Result<(), LlmError> {
        let index = choice.index.unwrap_or(position);
        if index >= MAX_PARALLEL {
            return Err(LlmError::Malformed(format!("an answer at index {index}")));
        }
        let known = self.choices.iter().position(|it| it.index == index);
        let at = known.unwrap_or_else(|| {
            self.choices.push(Progressing {
                index,
                calls: ToolCalls::default(),
                finished: false,
            });
            self.choices.len() - 1
        });
        let (id, Some(state)) = (&self.id, self.choices.get_mut(at)) else {
            return Ok(());
        };
        let mut deltas = Vec::new();
        if let Some(delta) = choice.delta.or(choice.message) {
            read_delta(delta, &mut state.calls, id, index, &mut deltas)?;
        }
        if state.finished {
            // Some servers name a reason with each call; nothing else will close this one.
            state.calls.finish(&mut deltas)?;
        }
        deltas.extend(choice.logprobs.map(Delta::Logprobs));
        let mut reason = None;
        let told = choice.finish_reason.filter(|text| !text.is_empty());
        if let Some(text) = told.filter(|_| !state.finished) {
            reason = Some(finish::read(&text, !state.calls.is_empty())?);
            state.calls.finish(&mut deltas)?;
            state.finished = true;
        }
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index, delta }));
        out.extend(reason.map(|reason| LlmEvent::Finish { index, reason }));
        Ok(())
    }
}

/// Reads what a delta adds: thoughts, text, a refusal, calls. The role says nothing new.
fn read_delta(
    delta: wire::Delta,
    calls: &mut ToolCalls,
    answer_id: &str,
    choice: u32,
    out: &mut Vec<Delta>,
) -> Result<(), LlmError> {
    let reasoning = delta.reasoning_content.0.or(delta.reasoning.0);
    out.extend(reasoning.map(Delta::Reasoning));
    let content = delta.content.filter(|text| !text.is_empty());
    out.extend(content.map(Delta::Content));
    out.extend(delta.refusal.0.map(Delta::Refusal));
    let older = delta.function_call.map(wire::ToolCall::from);
    for piece in delta.tool_calls.into_iter().flatten().chain(older) {
        calls.push(piece, |n| make_id(answer_id, choice, n), out)?;
    }
    Ok(())
}

/// An id for a call whose server gives none: the same for the same answer, and another for each
/// call of a conversation.
fn make_id(answer_id: &str, choice: u32, number: usize) -> String {
    let safe = answer_id.chars().filter(char::is_ascii_alphanumeric);
    let kept: String = safe.take(40).collect();
    format!("call_{kept}_{choice}_{number}")
}
