//! One choice of a response in progress, streamed or whole.
#![allow(clippy::boxed_local, reason = "parts of an answer stay in their boxes")]

use clawless_core::FinishReason;
use clawless_core::json::Json;
use clawless_core::llm::Delta;
use clawless_core::members::Members;

use super::content::{Content, Piece};
use super::finish;
use super::tool_calls::ToolCalls;
use super::wire::{self, Choice};
use crate::call_id::CallIds;
use crate::error::LlmError;
use clawless_core::members::news;

/// One of the `n` choices, in progress.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct ChoiceState {
    pub(super) index: u32,
    pub(super) calls: ToolCalls,
    pub(super) finished: bool,
    /// Whether the model stopped by itself, not because of a limit or filter.
    pub(super) stopped: bool,
    /// Whether client-visible output was received.
    pub(super) has_output: bool,
    /// Whether text, a refusal or a call was received.
    has_answer: bool,
    has_reasoning: bool,
    /// The latest members beside the message.
    members: Members,
}

impl ChoiceState {
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            calls: ToolCalls::default(),
            finished: false,
            stopped: false,
            has_output: false,
            has_answer: false,
            has_reasoning: false,
            members: Members::default(),
        }
    }

    /// Adds one choice of a chunk; returns its deltas and the final finish reason.
    pub(super) fn take(
        &mut self,
        choice: Box<Choice>,
        call_ids: CallIds,
    ) -> Result<(Vec<Delta>, Option<FinishReason>), LlmError> {
        let mut deltas = Vec::new();
        let delta = choice.delta.0.filter(|delta| !delta.is_empty());
        let message = choice.message.0.and_then(|message| self.rest_of(message));
        if let Some(delta) = delta.or(message) {
            self.take_delta(delta, call_ids, &mut deltas)?;
        } else {
            deltas.extend(choice.text.0.map(Delta::Content));
        }
        self.note(&deltas);
        if self.finished {
            // Some servers send a finish reason with each call and no final one.
            self.calls.finish(&mut deltas)?;
        }
        deltas.extend(choice.logprobs.map(Delta::Logprobs));
        let members = news(&mut self.members, choice.unknown);
        deltas.extend(members.map(Delta::ChoiceMembers));
        let reason = choice.finish_reason.0;
        let reason = reason.filter(|_| !self.finished);
        let Some(reason) = reason else {
            return Ok((deltas, None));
        };
        let reason = finish::read(&reason)?;
        self.calls.finish(&mut deltas)?;
        self.finished = true;
        self.stopped = reason == FinishReason::Stop;
        Ok((deltas, Some(reason)))
    }

    /// The part of a whole message that no delta contained. Some servers repeat the whole message at
    /// the end of the stream; others stream only the reasoning.
    fn rest_of(&self, mut message: Box<wire::Delta>) -> Option<Box<wire::Delta>> {
        if self.has_answer {
            return None;
        }
        if self.has_reasoning {
            message.reasoning_content = Content::default();
            message.reasoning = Content::default();
            let pieces = &mut message.content.0;
            pieces.retain(|piece| !matches!(piece, Piece::Reasoning(_)));
        }
        Some(message)
    }

    /// Notes what was received.
    fn note(&mut self, deltas: &[Delta]) {
        self.has_output |= !deltas.is_empty();
        for delta in deltas {
            match delta {
                Delta::Reasoning(_) => self.has_reasoning = true,
                Delta::Content(_) | Delta::Refusal(_) | Delta::ToolCallStart { .. } => {
                    self.has_answer = true;
                }
                _ => {}
            }
        }
    }

    /// Adds the content of a delta: reasoning, text, refusal, calls.
    fn take_delta(
        &mut self,
        delta: Box<wire::Delta>,
        call_ids: CallIds,
        out: &mut Vec<Delta>,
    ) -> Result<(), LlmError> {
        let (reasoning, alias) = (delta.reasoning_content, delta.reasoning);
        let reasoning = reasoning.into_text().or_else(|| alias.into_text());
        out.extend(reasoning.map(Delta::Reasoning));
        let (mut images, mut others) = (Vec::new(), Vec::new());
        for piece in delta.content.0 {
            match piece {
                Piece::Text(text) => out.push(Delta::Content(text)),
                Piece::Reasoning(text) => out.push(Delta::Reasoning(text)),
                Piece::Refusal(text) => out.push(Delta::Refusal(text)),
                Piece::Image(image) => images.push(image),
                Piece::Other(part) => others.push(part),
            }
        }
        let mut members = delta.unknown;
        for (name, parts) in [("images", images), ("content_parts", others)] {
            if let (false, Ok(parts)) = (parts.is_empty(), Json::from_value(&parts)) {
                members.0.push((name.to_owned(), parts));
            }
        }
        if !members.is_empty() {
            out.push(Delta::Members(members));
        }
        out.extend(delta.refusal.0.map(Delta::Refusal));
        let index = self.index;
        let older = delta.function_call.0;
        let older = older.map(|call| Box::new(wire::ToolCall::from(call)));
        for piece in delta.tool_calls.0.into_iter().chain(older) {
            self.calls.push(piece, |n| call_ids.make(index, n), out)?;
        }
        Ok(())
    }
}
