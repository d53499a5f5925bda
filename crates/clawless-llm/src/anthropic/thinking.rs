//! How much to think, in this wire's words.

use clawless_core::chat::ReasoningEffort;
use clawless_core::model::ThinkingStyle;
use serde::Serialize;

/// The smallest budget that the API takes.
const LEAST_BUDGET: u32 = 1024;

/// What is left of the answer's tokens for the answer itself, at least.
const LEAST_ANSWER: u32 = 1024;

/// Whether and how the model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    /// With at most so many tokens.
    Enabled { budget_tokens: u32 },
    /// As it finds fit.
    Adaptive,
}

/// What goes out for an effort: thinking, and the effort under this wire's names.
pub(super) fn plan(
    effort: Option<ReasoningEffort>,
    style: ThinkingStyle,
    max_tokens: u32,
) -> (Option<Thinking>, Option<&'static str>) {
    let Some(effort) = effort.filter(|effort| *effort != ReasoningEffort::None) else {
        return (None, None);
    };
    match style {
        ThinkingStyle::Unknown => (None, None),
        ThinkingStyle::Adaptive => (Some(Thinking::Adaptive), name(effort)),
        ThinkingStyle::Budget => {
            let budget = budget(effort).min(max_tokens.saturating_sub(LEAST_ANSWER));
            let thinking = Thinking::Enabled {
                budget_tokens: budget,
            };
            ((budget >= LEAST_BUDGET).then_some(thinking), None)
        }
    }
}

const fn name(effort: ReasoningEffort) -> Option<&'static str> {
    match effort {
        ReasoningEffort::None | ReasoningEffort::Adaptive => None,
        ReasoningEffort::Minimal | ReasoningEffort::Low => Some("low"),
        ReasoningEffort::Medium => Some("medium"),
        ReasoningEffort::High => Some("high"),
        ReasoningEffort::Xhigh | ReasoningEffort::Max => Some("max"),
    }
}

/// Tokens to think with.
pub(super) const fn budget(effort: ReasoningEffort) -> u32 {
    match effort {
        ReasoningEffort::None => 0,
        ReasoningEffort::Minimal => LEAST_BUDGET,
        ReasoningEffort::Low => 2048,
        ReasoningEffort::Medium | ReasoningEffort::Adaptive => 8192,
        ReasoningEffort::High => 16_384,
        ReasoningEffort::Xhigh => 24_576,
        ReasoningEffort::Max => 32_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_leaves_room_for_the_answer_or_there_is_no_thinking() {
        let plan = |max| plan(Some(ReasoningEffort::Medium), ThinkingStyle::Budget, max).0;
        assert_eq!(
            plan(64_000),
            Some(Thinking::Enabled {
                budget_tokens: 8192
            })
        );
        assert_eq!(
            plan(4096),
            Some(Thinking::Enabled {
                budget_tokens: 3072
            })
        );
        assert_eq!(plan(2047), None);
    }

    #[test]
    fn each_style_has_its_own_words() {
        use ReasoningEffort::{Adaptive, High, None as Off};
        let plan = |effort, style| plan(Some(effort), style, 64_000);
        let adaptive = Some(Thinking::Adaptive);
        assert_eq!(
            plan(High, ThinkingStyle::Adaptive),
            (adaptive, Some("high"))
        );
        assert_eq!(plan(Adaptive, ThinkingStyle::Adaptive), (adaptive, None));
        assert_eq!(plan(Off, ThinkingStyle::Adaptive), (None, None));
        assert_eq!(plan(High, ThinkingStyle::Unknown), (None, None));
    }
}
