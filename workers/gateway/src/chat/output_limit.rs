//! The reserved length of an answer, enforced on a provider that ignores it.

use clawless_core::llm::{Delta, LlmEvent};
use clawless_core::{FinishReason, Tokens};

use super::model::turn::{OutputGrowth, Reservation};

/// No model's tokens are longer than this on average, in bytes.
const MAX_TOKEN_BYTES: u64 = 8;

/// The usual length of a token, by which the length of a growing answer is estimated.
const TOKEN_BYTES: u64 = 4;

/// A reservation grows when less than this part of it is left.
const GROWTH_MARGIN: u64 = 4;

/// Counts the output of each choice. A choice is cut only when it has more events than it may have
/// tokens AND more bytes than that many tokens can hold: a provider that obeys its limit is never
/// cut, whether it sends a token at a time, a letter or a page.
#[derive(Debug)]
pub struct OutputLimit {
    max_tokens: u64,
    growth: OutputGrowth,
    choices: Vec<ChoiceUsage>,
}

#[derive(Debug)]
struct ChoiceUsage {
    index: u32,
    events: u64,
    bytes: u64,
    is_finished: bool,
}

impl OutputLimit {
    /// The reserved output per choice.
    pub const fn new(reservation: &Reservation) -> Self {
        Self::with_growth(reservation.max_tokens_out.get(), reservation.growth)
    }

    const fn with_growth(max_tokens: u64, growth: OutputGrowth) -> Self {
        Self {
            max_tokens,
            growth,
            choices: Vec::new(),
        }
    }

    /// The reserved output, if `events` bring a growing answer near its end.
    pub fn must_grow(&self, events: &[LlmEvent]) -> Option<Tokens> {
        if self.growth != OutputGrowth::Extended {
            return None;
        }
        let more = events.iter().map(|event| match event {
            LlmEvent::Delta { delta, .. } => text_bytes(delta),
            _ => 0,
        });
        let longest = self.choices.iter().map(|choice| choice.bytes).max();
        let bytes = longest.unwrap_or(0).saturating_add(more.sum());
        let margin = self.max_tokens / GROWTH_MARGIN;
        let is_near = bytes / TOKEN_BYTES >= self.max_tokens.saturating_sub(margin);
        is_near.then(|| Tokens::new(self.max_tokens))
    }

    /// Raises the limit. If the reservation has not grown, the quota ends here, and so does the
    /// answer.
    pub fn grow(&mut self, reserved: Tokens) {
        if reserved.get() <= self.max_tokens {
            self.growth = OutputGrowth::Fixed;
        }
        self.max_tokens = self.max_tokens.max(reserved.get());
    }

    /// Counts events. If a choice exceeds its limit, drops the rest of `events`, finishes every
    /// open choice with `length` and returns `true`: nothing more may be read.
    pub fn cut(&mut self, events: &mut Vec<LlmEvent>) -> bool {
        if self.growth == OutputGrowth::Unlimited {
            return false;
        }
        let Some(kept) = events.iter().position(|event| self.exceeds(event)) else {
            return false;
        };
        events.truncate(kept);
        let open = self.choices.iter().filter(|choice| !choice.is_finished);
        events.extend(open.map(|choice| LlmEvent::Finish {
            index: choice.index,
            reason: FinishReason::Length,
        }));
        true
    }

    fn exceeds(&mut self, event: &LlmEvent) -> bool {
        match event {
            LlmEvent::Usage(_) | LlmEvent::Members(_) => false,
            LlmEvent::Finish { index, .. } => {
                self.choice(*index).is_finished = true;
                false
            }
            LlmEvent::Delta { index, delta } => {
                let max = self.max_tokens;
                let choice = self.choice(*index);
                choice.events = choice.events.saturating_add(1);
                choice.bytes = choice.bytes.saturating_add(text_bytes(delta));
                choice.events > max && choice.bytes > max.saturating_mul(MAX_TOKEN_BYTES)
            }
        }
    }

    fn choice(&mut self, index: u32) -> &mut ChoiceUsage {
        let found = self.choices.iter().position(|choice| choice.index == index);
        let position = found.unwrap_or_else(|| {
            self.choices.push(ChoiceUsage {
                index,
                events: 0,
                bytes: 0,
                is_finished: false,
            });
            self.choices.len() - 1
        });
        #[allow(
            clippy::indexing_slicing,
            reason = "the position was just found or added"
        )]
        &mut self.choices[position]
    }
}

/// The length of a delta's text in bytes.
fn text_bytes(delta: &Delta) -> u64 {
    let length = match delta {
        Delta::Content(text) | Delta::Reasoning(text) | Delta::Refusal(text) => text.len(),
        Delta::ToolCallArguments { arguments, .. } => arguments.len(),
        Delta::ToolCallStart { .. }
        | Delta::ToolCallMembers { .. }
        | Delta::Logprobs(_)
        | Delta::ThinkingBlocks(_)
        | Delta::Members(_) => 0,
    };
    length as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize, text: &str) -> Vec<LlmEvent> {
        let delta = || Delta::Content(text.to_owned());
        (0..count)
            .map(|_| LlmEvent::Delta {
                index: 0,
                delta: delta(),
            })
            .collect()
    }

    #[test]
    fn an_answer_within_its_limit_is_never_cut() {
        for (count, text) in [
            (100, " extraordinarily"),
            (450, "a"),
            (3, &"word ".repeat(200)),
        ] {
            let mut events = words(count, text);
            assert!(
                !OutputLimit::with_growth(100, OutputGrowth::Fixed).cut(&mut events),
                "{count} of {text:?}"
            );
            assert_eq!(events.len(), count);
        }
    }

    #[test]
    fn an_answer_beyond_its_limit_ends_with_length() {
        let mut events = words(500, " words");
        assert!(OutputLimit::with_growth(100, OutputGrowth::Fixed).cut(&mut events));
        assert!((100..200).contains(&events.len()), "{}", events.len());
        let finish = LlmEvent::Finish {
            index: 0,
            reason: FinishReason::Length,
        };
        assert_eq!(events.last(), Some(&finish));
    }

    #[test]
    fn a_growing_answer_is_extended_and_ends_where_the_reservation_does() {
        let mut limit = OutputLimit::with_growth(100, OutputGrowth::Extended);
        let mut events = words(70, "word");
        assert_eq!(limit.must_grow(&events), None);
        assert!(!limit.cut(&mut events));
        let mut events = words(10, "word");
        assert_eq!(limit.must_grow(&events), Some(Tokens::new(100)));
        limit.grow(Tokens::new(200));
        assert_eq!(limit.must_grow(&events), None);
        assert!(!limit.cut(&mut events));
        limit.grow(Tokens::new(200));
        let mut events = words(1000, " words at the end");
        assert_eq!(limit.must_grow(&events), None);
        assert!(limit.cut(&mut events));
    }

    #[test]
    fn an_answer_without_a_limit_is_never_cut() {
        let mut events = words(10_000, "word");
        let mut limit = OutputLimit::with_growth(100, OutputGrowth::Unlimited);
        assert!(!limit.cut(&mut events));
    }
}
