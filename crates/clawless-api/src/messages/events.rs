//! Streamed answers: the events of a `message`.

use clawless_core::chat::Usage;
use clawless_core::llm::{Delta, LlmEvent};
use clawless_core::members::Members;
use clawless_core::{ApiError, ErrorCode};

use super::PING;
use super::arguments::ArgumentScan;
use super::carrier::Carrier;
use super::error::error_envelope;
use super::stop::StopState;
use super::usage::MessageUsage;
use super::whole::{for_client, message_id};
use super::wire::{BlockDelta, BlockStart, Event, MessageEnd, MessageStart, write, write_activity};
use crate::activity::ToolActivity;
use crate::answer_head::AnswerHead;

/// Writes the events of one streamed answer: `message_start`, the content blocks one after another,
/// then `message_delta` and `message_stop`, or `error`. Blocks have the indexes 0, 1, 2, …
///
/// A provider may send the arguments of several calls at once. The deltas of other blocks then wait
/// until the arguments of the open call are complete.
#[derive(Debug)]
pub struct MessageWriter {
    head: AnswerHead,
    stop_sequences: Vec<String>,
    stop: StopState,
    has_begun: bool,
    /// The index of the next block.
    next: u32,
    open: Option<Open>,
    /// Deltas that wait for the end of the open call.
    waiting: Vec<Delta>,
    /// The provider's own members, until a block carries them.
    carrier: Carrier,
    /// Whether arguments arrived after the end of their call's block.
    is_broken: bool,
}

/// The open block.
#[derive(Debug)]
enum Open {
    Text,
    Thinking,
    Call { number: u32, scan: ArgumentScan },
}

impl MessageWriter {
    /// A writer for the answer of a request with these stop sequences.
    pub fn new(head: AnswerHead, stop_sequences: Vec<String>) -> Self {
        Self {
            head,
            stop_sequences,
            stop: StopState::default(),
            has_begun: false,
            next: 0,
            open: None,
            waiting: Vec::new(),
            carrier: Carrier::default(),
            is_broken: false,
        }
    }

    /// Appends an event. Usage is written at the end; see [`Self::finish`]. A message has one choice.
    pub fn event(&mut self, event: &LlmEvent, out: &mut String) {
        match event {
            LlmEvent::Delta { index: 0, delta } => {
                self.begin(out);
                self.delta(delta, out);
            }
            LlmEvent::Finish { index: 0, reason } => {
                self.begin(out);
                self.stop.finish(Some(*reason));
            }
            LlmEvent::Delta { .. }
            | LlmEvent::Finish { .. }
            | LlmEvent::Usage(_)
            | LlmEvent::Members(_) => {}
        }
    }

    /// Appends the activity of server tools, in a `ping`, which clients skip.
    pub fn activity(&mut self, activity: &[ToolActivity], out: &mut String) {
        self.begin(out);
        write_activity(activity, out);
    }

    /// Appends the end of a complete answer.
    pub fn finish(&mut self, usage: Usage, out: &mut String) {
        self.begin(out);
        loop {
            self.close(out);
            if self.waiting.is_empty() {
                break;
            }
            self.resume(out);
        }
        self.carry(out);
        if self.is_broken {
            let message = "The model's tool calls were not in order.";
            return self.fail(&ApiError::new(ErrorCode::UpstreamError, message), out);
        }
        let (stop_reason, stop_sequence) = self.stop.values();
        let delta = MessageEnd {
            stop_reason,
            stop_sequence,
            stop_details: (),
            container: (),
        };
        let usage = MessageUsage::from(usage);
        write(&Event::MessageDelta { delta, usage }, out);
        write(&Event::MessageStop, out);
    }

    /// Appends the end of an answer that broke off: `error`, and no `message_stop`. SDKs raise it.
    pub fn fail(&mut self, error: &ApiError, out: &mut String) {
        out.push_str("event: error\ndata: ");
        out.push_str(&error_envelope(error, &self.head.request));
        out.push_str("\n\n");
    }

    fn begin(&mut self, out: &mut String) {
        if self.has_begun {
            return;
        }
        self.has_begun = true;
        let message = MessageStart::new(message_id(&self.head), &self.head.model);
        write(&Event::MessageStart { message }, out);
        out.push_str(PING);
    }

    fn delta(&mut self, delta: &Delta, out: &mut String) {
        match (&mut self.open, delta) {
            (
                Some(Open::Call { number, scan }),
                Delta::ToolCallArguments {
                    call, arguments, ..
                },
            ) if number == call => {
                scan.push(arguments);
                let is_complete = scan.is_complete();
                self.block_delta(
                    BlockDelta::InputJson {
                        partial_json: arguments,
                    },
                    out,
                );
                if is_complete && !self.waiting.is_empty() {
                    self.close(out);
                    self.resume(out);
                }
            }
            (Some(Open::Call { scan, .. }), _) if !scan.is_complete() && is_shown(delta) => {
                self.waiting.push(delta.clone());
            }
            _ => self.write_delta(delta, out),
        }
    }

    /// Writes the deltas that have waited. Some of them may have to wait again.
    fn resume(&mut self, out: &mut String) {
        for delta in std::mem::take(&mut self.waiting) {
            self.delta(&delta, out);
        }
    }

    /// Writes a delta that need not wait.
    fn write_delta(&mut self, delta: &Delta, out: &mut String) {
        match delta {
            Delta::Content(text) => self.text(text, out),
            Delta::Refusal(text) => {
                self.stop.refuse();
                self.text(text, out);
            }
            Delta::Reasoning(thinking) if !thinking.is_empty() => {
                if !matches!(self.open, Some(Open::Thinking)) {
                    self.start(Some(Open::Thinking), BlockStart::THINKING, out);
                }
                self.block_delta(BlockDelta::Thinking { thinking }, out);
            }
            Delta::ThinkingBlock(block) => {
                if let Ok(block) = block.read() {
                    self.signed(block, out);
                }
            }
            Delta::Citation(citation) => {
                self.open_text(out);
                self.block_delta(BlockDelta::Citation { citation }, out);
            }
            Delta::TextEnd => {
                if matches!(self.open, Some(Open::Text)) {
                    self.close(out);
                }
            }
            Delta::Block(block) => self.whole(BlockStart::Whole(block), out),
            Delta::ToolCallStart {
                call,
                id,
                name,
                members,
                ..
            } => {
                self.stop.call();
                self.carrier.add_call(*call, id, members);
                self.carry(out);
                let (number, scan) = (*call, ArgumentScan::default());
                let open = Open::Call { number, scan };
                self.start(Some(open), BlockStart::call(id, name), out);
            }
            Delta::ToolCallArguments { arguments, .. } => {
                self.is_broken |= !arguments.trim().is_empty();
            }
            Delta::ChoiceMembers(members) => self.stop.read(members, &self.stop_sequences),
            Delta::ToolCallMembers { call, members, .. } => {
                self.carrier.add_to_call(*call, members);
            }
            Delta::Members(members) => self.carrier.add(members),
            // Values of other wires, which this one has no place for.
            Delta::Reasoning(_) | Delta::Logprobs(_) | Delta::ThinkingBlocks(_) => {}
        }
    }

    fn text(&mut self, text: &str, out: &mut String) {
        if text.is_empty() {
            return;
        }
        self.open_text(out);
        self.block_delta(BlockDelta::Text { text }, out);
    }

    fn open_text(&mut self, out: &mut String) {
        if !matches!(self.open, Some(Open::Text)) {
            self.start(Some(Open::Text), BlockStart::TEXT, out);
        }
    }

    /// A signed thought: the signature of the open block, whose text has been sent, or a whole block.
    fn signed(&mut self, block: Members, out: &mut String) {
        let block = for_client(block, &self.head.origin);
        let signature = block.get("signature").and_then(|it| it.read().ok());
        if let (Some(Open::Thinking), Some(signature)) = (&self.open, signature) {
            let signature: String = signature;
            let signature = &signature;
            self.block_delta(BlockDelta::Signature { signature }, out);
            self.close(out);
            return;
        }
        self.whole(BlockStart::Signed(block), out);
    }

    /// Writes the block that carries the provider's own members so far.
    fn carry(&mut self, out: &mut String) {
        if let Some(block) = self.carrier.take(&self.head.origin) {
            self.whole(BlockStart::Signed(block), out);
        }
    }

    fn whole(&mut self, block: BlockStart<'_>, out: &mut String) {
        self.start(None, block, out);
        let index = self.index();
        write(&Event::ContentBlockStop { index }, out);
    }

    /// Starts a block after the end of the open one.
    fn start(&mut self, open: Option<Open>, content_block: BlockStart<'_>, out: &mut String) {
        self.close(out);
        let index = self.next;
        self.next += 1;
        self.open = open;
        let event = Event::ContentBlockStart {
            index,
            content_block,
        };
        write(&event, out);
    }

    fn block_delta(&self, delta: BlockDelta<'_>, out: &mut String) {
        let index = self.index();
        write(&Event::ContentBlockDelta { index, delta }, out);
    }

    /// The index of the last block that was started.
    const fn index(&self) -> u32 {
        self.next.saturating_sub(1)
    }

    fn close(&mut self, out: &mut String) {
        if self.open.take().is_some() {
            write(
                &Event::ContentBlockStop {
                    index: self.index(),
                },
                out,
            );
        }
    }
}

/// Whether a delta is a part of a block.
fn is_shown(delta: &Delta) -> bool {
    match delta {
        Delta::Content(text) | Delta::Refusal(text) | Delta::Reasoning(text) => !text.is_empty(),
        Delta::ToolCallStart { .. }
        | Delta::ToolCallArguments { .. }
        | Delta::ThinkingBlock(_)
        | Delta::Citation(_)
        | Delta::TextEnd
        | Delta::Block(_) => true,
        Delta::ToolCallMembers { .. }
        | Delta::Logprobs(_)
        | Delta::ThinkingBlocks(_)
        | Delta::Members(_)
        | Delta::ChoiceMembers(_) => false,
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
