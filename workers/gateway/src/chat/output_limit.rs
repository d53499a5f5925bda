//! The reserved length of an answer, enforced on a provider that ignores it.

use clawless_core::llm::{Delta, LlmEvent};
use clawless_core::{FinishReason, Tokens};

use super::model::output_growth::{DEFAULT_OUTPUT, OutputGrowth};
use super::model::turn::Reservation;

/// No model's tokens are longer than this on average, in bytes.
const MAX_TOKEN_BYTES: u64 = 8;

/// The usual length of a token, by which the length of a growing answer is estimated.
const TOKEN_BYTES: u64 = 4;

/// A reservation grows when less than this part of it is left, or less than this many tokens.
const GROWTH_MARGIN: u64 = 4;
const MAX_GROWTH_MARGIN: u64 = 1024;

/// Counts the output of each choice.
///
/// A choice with a limit of the client or the model is cut only when it has more events than it may
/// have tokens AND more bytes than that many tokens can hold: a provider that obeys its limit is never
/// cut, whether it sends a token at a time, a letter or a page. A choice that the quota ends was given
/// no limit, and is cut by its estimated tokens, which are charged.
#[derive(Debug)]
pub struct OutputLimit {
    max_tokens: u64,
    growth: OutputGrowth,
    /// Whether the quota is used up.
    is_quota_end: bool,
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
            is_quota_end: false,
            choices: Vec::new(),
        }
    }

    /// The output to reserve, if `events` bring a growing answer near the end of what is reserved.
    pub fn must_grow(&self, events: &[LlmEvent]) -> Option<Tokens> {
        let OutputGrowth::Extended { longest } = self.growth else {
            return None;
        };
        let more = events.iter().map(|event| match event {
            LlmEvent::Delta { delta, .. } => text_bytes(delta),
            _ => 0,
        });
        let max_choice = self.choices.iter().map(|choice| choice.bytes).max();
        let bytes = max_choice.unwrap_or(0).saturating_add(more.sum());
        let tokens = bytes / TOKEN_BYTES;
        let margin = (self.max_tokens / GROWTH_MARGIN).min(MAX_GROWTH_MARGIN);
        if tokens < self.max_tokens.saturating_sub(margin) {
            return None;
        }
        let wanted = tokens
            .max(self.max_tokens)
            .saturating_add(DEFAULT_OUTPUT.get());
        let wanted = longest.map_or(wanted, |longest| wanted.min(longest.get()));
        (wanted > self.max_tokens).then(|| Tokens::new(wanted))
    }

    /// Raises the limit to what is reserved. If that is less than `wanted`, the quota ends there, and
    /// so does the answer.
    pub fn grow(&mut self, wanted: Tokens, reserved: Tokens) {
        if reserved < wanted {
            self.growth = OutputGrowth::Fixed;
            self.is_quota_end = true;
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
        let part = events.get(kept).and_then(|event| self.part(event));
        events.truncate(kept);
        events.extend(part);
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
                let (max, is_quota_end) = (self.max_tokens, self.is_quota_end);
                let choice = self.choice(*index);
                choice.events = choice.events.saturating_add(1);
                choice.bytes = choice.bytes.saturating_add(text_bytes(delta));
                let (events, bytes) = (choice.events, choice.bytes);
                if is_quota_end {
                    return bytes > max.saturating_mul(TOKEN_BYTES);
                }
                events > max && bytes > max.saturating_mul(MAX_TOKEN_BYTES)
            }
        }
    }

    /// The part of a text that the quota still covers.
    fn part(&self, event: &LlmEvent) -> Option<LlmEvent> {
        let LlmEvent::Delta { index, delta } = event else {
            return None;
        };
        let Delta::Content(text) = delta else {
            return None;
        };
        let choice = self.choices.iter().find(|it| it.index == *index)?;
        let covered = self.max_tokens.saturating_mul(TOKEN_BYTES);
        let excess = usize::try_from(choice.bytes.saturating_sub(covered)).ok()?;
        let kept = text.floor_char_boundary(text.len().checked_sub(excess)?);
        let kept = text.get(..kept).filter(|_| self.is_quota_end)?;
        let delta = Delta::Content(kept.to_owned());
        let index = *index;
        (!kept.is_empty()).then_some(LlmEvent::Delta { index, delta })
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

/// The bytes that an answer grows by with these events.
pub fn held_bytes(events: &[LlmEvent]) -> usize {
    let deltas = events.iter().filter_map(|event| match event {
        LlmEvent::Delta { delta, .. } => Some(delta),
        _ => None,
    });
    let lengths = deltas.map(|delta| match delta {
        Delta::Logprobs(json)
        | Delta::ThinkingBlock(json)
        | Delta::Citation(json)
        | Delta::Block(json)
        | Delta::ThinkingBlocks(json) => json.as_str().len(),
        Delta::Members(members) | Delta::ChoiceMembers(members) => {
            members.0.iter().map(|(_, json)| json.as_str().len()).sum()
        }
        other => usize::try_from(text_bytes(other)).unwrap_or(usize::MAX),
    });
    lengths.sum()
}

/// The length of a delta's text in bytes.
fn text_bytes(delta: &Delta) -> u64 {
    let length = match delta {
        Delta::Content(text) | Delta::Reasoning(text) | Delta::Refusal(text) => text.len(),
        Delta::ToolCallArguments { arguments, .. } => arguments.len(),
        Delta::ToolCallStart { .. }
        | Delta::ToolCallMembers { .. }
        | Delta::Logprobs(_)
        | Delta::ThinkingBlock(_)
        | Delta::Citation(_)
        | Delta::TextEnd
        | Delta::Block(_)
        | Delta::ThinkingBlocks(_)
        | Delta::Members(_)
        | Delta::ChoiceMembers(_) => 0,
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
    fn a_growing_answer_is_extended_and_ends_with_the_quota() {
        let growth = OutputGrowth::Extended { longest: None };
        let mut limit = OutputLimit::with_growth(100, growth);
        let mut events = words(70, "word");
        assert_eq!(limit.must_grow(&events), None);
        assert!(!limit.cut(&mut events));
        let mut events = words(10, "word");
        let wanted = limit.must_grow(&events).expect("near its end");
        assert_eq!(wanted, Tokens::new(100 + 4096));
        limit.grow(wanted, wanted);
        assert_eq!(limit.must_grow(&events), None);
        assert!(!limit.cut(&mut events));
        let mut page = words(1, &"word".repeat(10_000));
        let wanted = limit.must_grow(&page).expect("beyond its end");
        assert_eq!(wanted, Tokens::new(10_080 + 4096));
        limit.grow(wanted, Tokens::new(12_000));
        assert!(!limit.cut(&mut page));
        let mut events = words(3000, "word");
        assert_eq!(limit.must_grow(&events), None);
        assert!(limit.cut(&mut events));
        assert_eq!(
            events.len(),
            12_000 - 10_080 + 1,
            "the finish reason follows"
        );
    }

    #[test]
    fn an_answer_grows_to_its_models_longest() {
        let growth = OutputGrowth::Extended {
            longest: Some(Tokens::new(5000)),
        };
        let mut limit = OutputLimit::with_growth(4096, growth);
        let events = words(4000, "word");
        let wanted = limit.must_grow(&events).expect("near its end");
        assert_eq!(wanted, Tokens::new(5000));
        limit.grow(wanted, wanted);
        let mut events = words(5000, "word");
        assert_eq!(limit.must_grow(&events), None);
        assert!(!limit.cut(&mut events));
    }

    #[test]
    fn an_answer_without_a_limit_is_never_cut() {
        let mut events = words(10_000, "word");
        let mut limit = OutputLimit::with_growth(100, OutputGrowth::Unlimited);
        assert!(!limit.cut(&mut events));
    }
}
