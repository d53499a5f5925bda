//! Response decoders, streamed and whole.

use clawless_core::Usage;
use clawless_core::chat::{FinishReason, PromptDetails};
use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmEvent, LlmResponse};
use clawless_core::members::Members;

use super::blocks::Blocks;
use super::wire::{Counts, Event, Whole};
use crate::accumulate::Accumulator;
use crate::body_form::{self, BodyForm};
use crate::error::LlmError;
use crate::openai::finish;
use crate::protocol::{Decoder, Progress};
use crate::sse::SseDecoder;
use crate::{failure, plausible};

/// The stop reasons of an answer that is cut off by something else than its output limit: one that
/// goes on once the client sends it back, and one that fills the context window.
const CUT_OFF: [&str; 2] = ["pause_turn", "model_context_window_exceeded"];

/// The stop reason of an answer that one of the request's stop sequences ended.
const STOP_SEQUENCE: &str = "stop_sequence";

/// The decoder of one streamed response.
#[derive(Debug, Default)]
pub struct AnthropicDecoder {
    form: BodyForm,
    sse: SseDecoder,
    answer: Answer,
}

impl AnthropicDecoder {
    /// A decoder for a response of this model, whose name marks its signed reasoning.
    pub fn for_signer(signer: &str) -> Self {
        Self {
            answer: Answer::for_signer(signer),
            ..Self::default()
        }
    }

    /// The same for models that need reasoning back which they have not signed.
    #[must_use]
    pub fn with_unsigned_thinking(mut self, is_replayed: bool) -> Self {
        self.answer.blocks.keep_unsigned(is_replayed);
        self
    }
}

impl Decoder for AnthropicDecoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        let Some(bytes) = self.form.push(bytes)? else {
            return Ok(Progress::More);
        };
        let answer = &mut self.answer;
        let pushed = self.sse.push(bytes, |event| answer.event(event.data, out));
        // Bytes after the end are ignored, even if they are malformed.
        if self.answer.stopped {
            return Ok(Progress::Done);
        }
        pushed.map(|()| Progress::More)
    }

    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let answer = &mut self.answer;
        if let Some(document) = self.form.take_document() {
            answer.whole(&document, out)?;
        } else {
            // A last event without its blank line counts if it parses; otherwise the event was
            // truncated.
            match self.sse.end(|event| answer.event(event.data, out)) {
                Ok(()) | Err(LlmError::Malformed(_)) => {}
                Err(error) => return Err(error),
            }
            answer.check_whole()?;
            answer.check_not_empty()?;
        }
        answer.stopped = true;
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.answer.stopped || self.answer.blocks.has_output()
    }

    fn is_whole(&self) -> bool {
        self.answer.finished && self.answer.check_not_empty().is_ok()
    }
}

/// The state of a response so far. There is one choice: this API has no `n`.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
struct Answer {
    blocks: Blocks,
    usage: UsageState,
    /// Whether content was received.
    started: bool,
    /// Whether the stop reason was received.
    finished: bool,
    /// Whether the last event was received.
    stopped: bool,
    /// Whether the model ended its turn without a counted token.
    is_uncounted: bool,
}

impl Answer {
    fn for_signer(signer: &str) -> Self {
        Self {
            blocks: Blocks::for_signer(signer),
            ..Self::default()
        }
    }

    fn event(&mut self, data: &str, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        if self.stopped || data.trim().is_empty() {
            return Ok(());
        }
        let event: Event = serde_json::from_str(data)
            .map_err(|error| LlmError::Malformed(format!("invalid JSON: {error}")))?;
        let mut deltas = Vec::new();
        match event.r#type.as_str() {
            "content_block_start" | "content_block_delta" if self.finished => {
                return Err(LlmError::Malformed(
                    "more of the answer after its end".to_owned(),
                ));
            }
            "message_start" => {
                let counts = event.message.and_then(|message| message.usage);
                self.usage.take(counts.as_ref());
                // If the answer breaks off, this part of its usage is known.
                out.extend(self.usage.input().map(LlmEvent::Usage));
            }
            "content_block_start" => {
                if let (Some(index), Some(block)) = (event.index, event.content_block) {
                    self.started = true;
                    self.blocks.start(index, block, &mut deltas)?;
                }
            }
            "content_block_delta" => {
                if let (Some(index), Some(delta)) = (event.index, event.delta) {
                    self.blocks.add(index, delta, &mut deltas)?;
                }
            }
            "content_block_stop" => {
                if let Some(index) = event.index.filter(|_| !self.finished) {
                    self.blocks.stop(index, &mut deltas);
                }
            }
            "message_delta" => {
                self.usage.take(event.usage.as_ref());
                let delta = event.delta.unwrap_or_default();
                if let Some(reason) = delta.stop_reason {
                    self.finish(&reason, delta.stop_sequence.as_deref(), out)?;
                }
            }
            "message_stop" => {
                self.check_whole()?;
                self.check_not_empty()?;
                self.stopped = true;
            }
            "error" => {
                let error = event.error.as_ref().and_then(|json| json.read().ok());
                return Err(failure::reported(&error.unwrap_or_default()));
            }
            _ => {}
        }
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index: 0, delta }));
        Ok(())
    }

    fn finish(
        &mut self,
        reason: &str,
        stop_sequence: Option<&str>,
        out: &mut Vec<LlmEvent>,
    ) -> Result<(), LlmError> {
        self.started = true;
        if self.finished {
            return Ok(());
        }
        let native = CUT_OFF.into_iter().find(|it| *it == reason);
        let is_stop_sequence = reason == STOP_SEQUENCE;
        let reason = if native.is_some() {
            // Only the client can continue the answer, so it is not complete.
            FinishReason::Length
        } else {
            finish::read(reason)?
        };
        self.finished = true;
        let ends_turn =
            reason == FinishReason::Stop && !is_stop_sequence && stop_sequence.is_none();
        let mut deltas: Vec<Delta> = Vec::new();
        self.blocks.finish(&mut deltas);
        deltas.extend(native.and_then(|native| choice_member("native_finish_reason", native)));
        deltas.extend(stop_sequence.and_then(|text| choice_member("stop_reason", text)));
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index: 0, delta }));
        out.push(LlmEvent::Finish { index: 0, reason });
        let usage = self.usage.read();
        let is_counted = usage.is_some_and(|usage| usage.completion_tokens > 0);
        self.is_uncounted = ends_turn && !is_counted;
        out.extend(usage.map(LlmEvent::Usage));
        Ok(())
    }

    /// Adds a whole response.
    fn whole(&mut self, body: &[u8], out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let unreadable =
            |error: serde_json::Error| LlmError::Malformed(format!("invalid JSON: {error}"));
        let event: Event = serde_json::from_slice(body).map_err(unreadable)?;
        if event.r#type == "error" {
            let error = event.error.as_ref().and_then(|json| json.read().ok());
            return Err(failure::reported(&error.unwrap_or_default()));
        }
        if event.r#type != "message" {
            return Err(LlmError::Malformed("no response in the body".to_owned()));
        }
        let whole: Whole = serde_json::from_slice(body).map_err(unreadable)?;
        self.usage.take(whole.usage.as_ref());
        let mut deltas = Vec::new();
        for (index, block) in (0..).zip(whole.content.unwrap_or_default()) {
            self.blocks.start(index, block, &mut deltas)?;
            self.blocks.stop(index, &mut deltas);
        }
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index: 0, delta }));
        self.started = true;
        if let Some(reason) = whole.stop_reason {
            self.finish(&reason, whole.stop_sequence.as_deref(), out)?;
        }
        self.check_whole()?;
        self.check_not_empty()
    }

    /// Fails an empty response without counted tokens, as a retryable error.
    fn check_not_empty(&self) -> Result<(), LlmError> {
        if self.is_uncounted && !self.blocks.has_output() {
            return Err(LlmError::EmptyAnswer);
        }
        Ok(())
    }

    fn check_whole(&self) -> Result<(), LlmError> {
        if self.finished {
            return Ok(());
        }
        Err(if self.started {
            LlmError::Truncated("no stop reason".to_owned())
        } else {
            LlmError::Malformed("no response in the body".to_owned())
        })
    }
}

/// A fact about the end of an answer, under the name that other servers give it in a choice.
fn choice_member(name: &str, text: &str) -> Option<Delta> {
    let value = Json::from_value(text).ok()?;
    let members = Members(vec![(name.to_owned(), value)]);
    Some(Delta::ChoiceMembers(members))
}

/// Decodes a whole response. Some servers send a stream that was not requested.
pub(super) fn decode_whole(
    signer: &str,
    is_unsigned: bool,
    body: &[u8],
) -> Result<LlmResponse, LlmError> {
    let mut events = Vec::new();
    let mut decoder = AnthropicDecoder::for_signer(signer).with_unsigned_thinking(is_unsigned);
    if body_form::is_events(body) {
        if decoder.push(body, &mut events)? == Progress::More {
            decoder.end(&mut events)?;
        }
    } else {
        let body = body_form::without_lead(body);
        decoder.answer.whole(body, &mut events)?;
    }
    let mut whole = Accumulator::default();
    whole.push_all(&events);
    Ok(whole.finish())
}

/// Usage. Input counts are reported at the start of the stream, output counts at the end.
#[derive(Debug, Default)]
struct UsageState {
    input: Option<u64>,
    cache_write: u64,
    cache_read: u64,
    output: u64,
    /// Whether a usage object was invalid.
    is_unreadable: bool,
}

impl UsageState {
    fn take(&mut self, json: Option<&Json>) {
        let Some(json) = json else {
            return;
        };
        let Ok(counts) = json.read::<Counts>() else {
            self.is_unreadable = true;
            return;
        };
        self.input = counts.input_tokens.count().or(self.input);
        self.cache_write = counts
            .cache_creation_input_tokens
            .count()
            .unwrap_or(self.cache_write);
        self.cache_read = counts
            .cache_read_input_tokens
            .count()
            .unwrap_or(self.cache_read);
        self.output = counts.output_tokens.count().unwrap_or(self.output);
    }

    fn read(&self) -> Option<Usage> {
        self.input?;
        let usage = self.with_output(self.output);
        if usage.is_none() {
            tracing::warn!("impossible usage of the provider replaced by an estimate");
        }
        usage
    }

    /// The usage before any output.
    fn input(&self) -> Option<Usage> {
        self.with_output(0)
    }

    fn with_output(&self, output: u64) -> Option<Usage> {
        let prompt = self.input?.checked_add(self.cache_write)?;
        let prompt = prompt.checked_add(self.cache_read)?;
        let usage = plausible::usage(prompt, output).filter(|_| !self.is_unreadable);
        let mut usage = usage?;
        if self.cache_read > 0 || self.cache_write > 0 {
            usage.prompt_tokens_details = Some(PromptDetails {
                cached_tokens: Some(self.cache_read),
                cache_write_tokens: Some(self.cache_write),
                ..PromptDetails::default()
            });
        }
        Some(usage)
    }
}
