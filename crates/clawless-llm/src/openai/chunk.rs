//! The decoder of streamed responses, and the state shared with whole responses.

use clawless_core::FinishReason;
use clawless_core::llm::{LlmEvent, LlmRequest};
use clawless_core::members::{Members, news};

use super::choice::ChoiceState;
use super::limits::MAX_PARALLEL;
use super::wire::{Choice, Envelope};
use super::{report, usage};
use crate::body_form::BodyForm;
use crate::call_id::CallIds;
use crate::error::LlmError;
use crate::failure;
use crate::protocol::{Decoder, Progress};
use crate::sse::{SseDecoder, SseEvent};
use crate::tolerant::{Maybe, OneOrMany};

/// The decoder of one streamed response.
#[derive(Debug, Default)]
pub struct OpenAiDecoder {
    form: BodyForm,
    sse: SseDecoder,
    answer: Answer,
    done: bool,
}

impl OpenAiDecoder {
    /// A decoder for the response to a request.
    pub fn new(request: &LlmRequest) -> Self {
        Self::of(Answer::new(request))
    }

    /// A decoder that continues a response.
    pub(super) fn of(answer: Answer) -> Self {
        Self {
            answer,
            ..Self::default()
        }
    }
}

impl Decoder for OpenAiDecoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        let Some(bytes) = self.form.push(bytes)? else {
            return Ok(Progress::More);
        };
        let (answer, done) = (&mut self.answer, &mut self.done);
        let pushed = self.sse.push(bytes, |event| {
            if !*done {
                *done = answer.event(event, out)? == Progress::Done;
            }
            Ok::<_, LlmError>(())
        });
        // Bytes after the end are ignored, even if they are malformed.
        if self.done {
            return Ok(Progress::Done);
        }
        pushed.map(|()| Progress::More)
    }

    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        if let Some(document) = self.form.take_document() {
            self.answer.take(&document, out)?;
            self.answer.close(out)?;
        } else if !self.done {
            let answer = &mut self.answer;
            // A last event without its blank line counts if it parses; otherwise the event was
            // truncated.
            match self.sse.end(|event| answer.event(event, out).map(drop)) {
                Ok(()) | Err(LlmError::Malformed(_)) => {}
                Err(error) => return Err(error),
            }
            self.answer.check_not_empty()?;
        }
        self.answer.check_whole()?;
        self.done = true;
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.done || self.answer.has_output()
    }

    fn is_whole(&self) -> bool {
        self.answer.check_whole().is_ok() && self.answer.check_not_empty().is_ok()
    }
}

fn invalid_json(error: &serde_json::Error) -> LlmError {
    LlmError::Malformed(format!("invalid JSON: {error}"))
}

/// The state of a response so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Whether the server's response id is known.
    has_id: bool,
    /// Generates call ids if the server sends none.
    call_ids: CallIds,
    choices: Vec<ChoiceState>,
    /// The output limit of the request. A response of that length without a finish reason was cut
    /// by the limit.
    max_tokens: Option<u64>,
    /// The output tokens of the last plausible usage.
    completion_tokens: Option<u64>,
    /// The latest response members other than the choices.
    members: Members,
    /// Whether implausible usage was reported; logged once.
    refused_usage: bool,
    /// Whether a chunk without choices was received: the prompt may have been blocked.
    may_be_blocked: bool,
}

impl Answer {
    pub(crate) fn new(request: &LlmRequest) -> Self {
        Self {
            call_ids: CallIds::for_request(request),
            max_tokens: request.options.max_output().map(u64::from),
            ..Self::default()
        }
    }

    fn event(
        &mut self,
        event: SseEvent<'_>,
        out: &mut Vec<LlmEvent>,
    ) -> Result<Progress, LlmError> {
        let data = event.data.trim();
        if data == "[DONE]" {
            self.close(out)?;
            return Ok(Progress::Done);
        }
        if data.is_empty() {
            return Ok(Progress::More);
        }
        if event.name == "error" {
            let error = serde_json::from_str(data);
            return Err(failure::reported(&error.unwrap_or_else(|_| data.into())));
        }
        self.take(data.as_bytes(), out)?;
        Ok(Progress::More)
    }

    /// Adds a chunk of a stream, or a whole response.
    pub(crate) fn take(&mut self, json: &[u8], out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let not_an_object = || LlmError::Malformed("not an object".to_owned());
        // Some servers send a list; a single object needs none.
        if json.trim_ascii_start().first() != Some(&b'[') {
            let Maybe(envelope) = serde_json::from_slice(json).map_err(|it| invalid_json(&it))?;
            return self.take_envelope(envelope.ok_or_else(not_an_object)?, out);
        }
        let OneOrMany(envelopes) = serde_json::from_slice(json).map_err(|it| invalid_json(&it))?;
        if envelopes.is_empty() {
            return Err(not_an_object());
        }
        for envelope in envelopes {
            self.take_envelope(envelope, out)?;
        }
        Ok(())
    }

    fn take_envelope(
        &mut self,
        mut envelope: Box<Envelope>,
        out: &mut Vec<LlmEvent>,
    ) -> Result<(), LlmError> {
        if let Some(error) = report::of_envelope(&envelope) {
            return Err(error);
        }
        if let Some(id) = envelope.id.0.as_ref().filter(|_| !self.has_id) {
            self.call_ids = self.call_ids.with(id.as_bytes());
            self.has_id = true;
        }
        // Some servers repeat the same citations in each chunk.
        let members = std::mem::take(&mut envelope.members);
        out.extend(news(&mut self.members, members).map(LlmEvent::Members));
        let mut usages = Vec::from_iter(envelope.usage.take());
        let choices = envelope.choices.0;
        let is_empty = choices.is_empty();
        for (position, mut choice) in (0..).zip(choices) {
            usages.extend(choice.usage.take());
            let messages = [&mut choice.delta.0, &mut choice.message.0];
            usages.extend(
                messages
                    .into_iter()
                    .filter_map(|it| it.as_mut()?.usage.take()),
            );
            self.choice(position, choice, out)?;
        }
        let usage = usages.iter().find_map(usage::read);
        // A response with output has at least one token.
        let usage = usage.filter(|usage| usage.completion_tokens > 0 || !self.has_output());
        if is_empty {
            let object = envelope.object.0.as_deref();
            let is_answer = object == Some("chat.completion");
            let is_silent = usage.is_some_and(|usage| usage.completion_tokens == 0);
            self.may_be_blocked |= envelope.is_blocked;
            self.may_be_blocked |= is_silent || (is_answer && usage.is_none());
        }
        self.completion_tokens = usage
            .map(|usage| usage.completion_tokens)
            .or(self.completion_tokens);
        self.refused_usage |= !usages.is_empty() && usage.is_none();
        out.extend(usage.map(LlmEvent::Usage));
        Ok(())
    }

    /// Ends the response after the provider's end marker: choices without a finish reason end here
    /// unless they were truncated.
    pub(crate) fn close(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        if self.choices.is_empty() && self.may_be_blocked {
            // Gemini reports a blocked prompt as usage without choices.
            self.state(0)?.finished = true;
            out.push(LlmEvent::Finish {
                index: 0,
                reason: FinishReason::ContentFilter,
            });
        }
        self.check_not_empty()?;
        let is_full = self.max_tokens.is_some() && self.completion_tokens >= self.max_tokens;
        for choice in self.choices.iter_mut().filter(|choice| !choice.finished) {
            let index = choice.index;
            let mut deltas = Vec::new();
            choice.calls.finish(&mut deltas)?;
            if !choice.calls.are_whole() {
                return Err(LlmError::Truncated("a tool call is incomplete".to_owned()));
            }
            choice.finished = true;
            let deltas = deltas.into_iter();
            out.extend(deltas.map(|delta| LlmEvent::Delta { index, delta }));
            let reason = match choice.calls.is_empty() {
                false => FinishReason::ToolCalls,
                true if is_full => FinishReason::Length,
                true => FinishReason::Stop,
            };
            out.push(LlmEvent::Finish { index, reason });
        }
        if self.refused_usage && self.completion_tokens.is_none() {
            tracing::warn!("impossible usage of the provider replaced by an estimate");
        }
        self.check_whole()
    }

    /// Whether client-visible output was received. The role alone does not count.
    pub(crate) fn has_output(&self) -> bool {
        self.choices.iter().any(|choice| choice.has_output)
    }

    /// Whether every choice has its finish reason.
    pub(crate) fn check_whole(&self) -> Result<(), LlmError> {
        if self.choices.is_empty() {
            return Err(LlmError::Malformed("no response in the body".to_owned()));
        }
        if self.choices.iter().all(|choice| choice.finished) {
            return Ok(());
        }
        Err(LlmError::Truncated("no finish reason".to_owned()))
    }

    /// Fails an empty response without counted tokens or without a finish reason, as a retryable
    /// error. Tokens that the provider does not report are not counted.
    pub(crate) fn check_not_empty(&self) -> Result<(), LlmError> {
        if self.has_output() || self.choices.is_empty() {
            return Ok(());
        }
        let is_open = self.choices.iter().any(|choice| !choice.finished);
        let is_stopped = self.choices.iter().all(|choice| choice.stopped);
        let is_counted = self.completion_tokens.is_some_and(|tokens| tokens > 0);
        if is_open || (is_stopped && !is_counted) {
            return Err(LlmError::EmptyAnswer);
        }
        Ok(())
    }

    /// The state of the choice at `index`; adds it if it is new.
    fn state(&mut self, index: u32) -> Result<&mut ChoiceState, LlmError> {
        if index >= MAX_PARALLEL {
            return Err(LlmError::Malformed(format!(
                "choice index {index} is out of range"
            )));
        }
        let known = self.choices.iter().position(|it| it.index == index);
        let at = known.unwrap_or_else(|| {
            self.choices.push(ChoiceState::new(index));
            self.choices.len() - 1
        });
        let state = self.choices.get_mut(at);
        state.ok_or_else(|| LlmError::Malformed("no such choice".to_owned()))
    }

    fn choice(
        &mut self,
        position: u32,
        choice: Box<Choice>,
        out: &mut Vec<LlmEvent>,
    ) -> Result<(), LlmError> {
        if let Some(error) = choice.error.as_ref().and_then(report::of_json) {
            return Err(error);
        }
        let index = choice.index.0.filter(|index| *index >= 0);
        let index = index.map_or(position, |index| u32::try_from(index).unwrap_or(u32::MAX));
        let call_ids = self.call_ids;
        let (deltas, reason) = self.state(index)?.take(choice, call_ids)?;
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index, delta }));
        out.extend(reason.map(|reason| LlmEvent::Finish { index, reason }));
        Ok(())
    }
}
