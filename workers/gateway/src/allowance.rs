//! The longest answer that was reserved for, held against a provider that ignores it.

use clawless_core::FinishReason;
use clawless_core::llm::{Delta, LlmEvent};

/// No model's tokens are longer than this on average, in bytes.
const MAX_TOKEN: u64 = 8;

/// What each of the answers may still say. An answer is cut only when it has come in more pieces
/// than it may have tokens AND in more bytes than that many tokens can hold: a provider that obeys
/// its limit is never cut, whether it sends a token at a time, a letter or a page.
#[derive(Debug)]
pub struct Allowance {
    most: u64,
    answers: Vec<ChoiceUsage>,
}

#[derive(Debug)]
struct ChoiceUsage {
    index: u32,
    pieces: u64,
    bytes: u64,
    finished: bool,
}

impl Allowance {
    /// Up to `most` tokens for each answer.
    pub const fn new(most: u64) -> Self {
        Self {
            most,
            answers: Vec::new(),
        }
    }

    /// Counts what came. Where an answer says more than it may, leaves out the rest of `events`,
    /// ends every open answer with `length`, and returns `true`: nothing more may be read.
    pub fn cut(&mut self, events: &mut Vec<LlmEvent>) -> bool {
        let Some(kept) = events.iter().position(|event| self.is_too_much(event)) else {
            return false;
        };
        events.truncate(kept);
        let open = self.answers.iter().filter(|said| !said.finished);
        events.extend(open.map(|said| LlmEvent::Finish {
            index: said.index,
            reason: FinishReason::Length,
        }));
        true
    }

    fn is_too_much(&mut self, event: &LlmEvent) -> bool {
        match event {
            LlmEvent::Usage(_) | LlmEvent::Members(_) => false,
            LlmEvent::Finish { index, .. } => {
                self.answer(*index).finished = true;
                false
            }
            LlmEvent::Delta { index, delta } => {
                let most = self.most;
                let said = self.answer(*index);
                said.pieces = said.pieces.saturating_add(1);
                said.bytes = said.bytes.saturating_add(length_of(delta));
                said.pieces > most && said.bytes > most.saturating_mul(MAX_TOKEN)
            }
        }
    }

    fn answer(&mut self, index: u32) -> &mut ChoiceUsage {
        let at = self.answers.iter().position(|said| said.index == index);
        let at = at.unwrap_or_else(|| {
            self.answers.push(ChoiceUsage {
                index,
                pieces: 0,
                bytes: 0,
                finished: false,
            });
            self.answers.len() - 1
        });
        // `at` is a position that was just found or made.
        #[allow(clippy::indexing_slicing, reason = "in range by construction")]
        &mut self.answers[at]
    }
}

/// How many bytes of an answer's text a piece brings.
fn length_of(delta: &Delta) -> u64 {
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
            assert!(!Allowance::new(100).cut(&mut events), "{count} of {text:?}");
            assert_eq!(events.len(), count);
        }
    }

    #[test]
    fn an_answer_beyond_its_limit_ends_with_length() {
        let mut events = words(500, " words");
        assert!(Allowance::new(100).cut(&mut events));
        assert!((100..200).contains(&events.len()), "{}", events.len());
        let finish = LlmEvent::Finish {
            index: 0,
            reason: FinishReason::Length,
        };
        assert_eq!(events.last(), Some(&finish));
    }
}
