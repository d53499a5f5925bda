//! What the tries of a call have produced: a whole answer that is read as a stream may break off and be
//! requested again, or its client may leave. What had arrived by then is charged.

use std::cell::RefCell;

use clawless_core::llm::LlmEvent;
use clawless_llm::Accumulator;

/// The streams of a call, in order.
#[derive(Debug, Default)]
pub(super) struct Tries(RefCell<Vec<Try>>);

/// A stream whose answer had begun.
#[derive(Debug)]
pub(super) struct Try {
    /// The model's position in the chain.
    pub(super) target: usize,
    /// What has arrived.
    pub(super) answer: Accumulator,
    /// Whether the stream has ended.
    pub(super) has_ended: bool,
}

impl Tries {
    /// Adds a stream.
    pub(super) fn begin(&self, target: usize) {
        self.0.borrow_mut().push(Try {
            target,
            answer: Accumulator::default(),
            has_ended: false,
        });
    }

    /// Adds events to the last stream.
    pub(super) fn push(&self, events: &[LlmEvent]) {
        if let Some(last) = self.0.borrow_mut().last_mut() {
            last.answer.push_all(events);
        }
    }

    /// Notes that the last stream has broken off.
    pub(super) fn fail(&self) {
        if let Some(last) = self.0.borrow_mut().last_mut() {
            last.has_ended = true;
        }
    }

    /// Takes the last stream, whose answer is complete.
    pub(super) fn succeed(&self) -> Accumulator {
        let last = self.0.borrow_mut().pop();
        last.map(|last| last.answer).unwrap_or_default()
    }

    /// Whether a stream is being read.
    pub(super) fn is_reading(&self) -> bool {
        self.0.borrow().last().is_some_and(|last| !last.has_ended)
    }

    /// The streams without a complete answer.
    pub(super) fn into_rest(self) -> Vec<Try> {
        self.0.into_inner()
    }
}
