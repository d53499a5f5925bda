//! Translates a reasoning effort into thinking parameters.

use clawless_core::chat::{ReasoningEffort, ThinkingMode};
use clawless_core::model::ThinkingStyle;
use serde::Serialize;

/// The minimum budget that the API accepts, in tokens.
const MIN_BUDGET: u32 = 1024;

/// The minimum number of tokens reserved for the response beside its reasoning.
const MIN_ANSWER: u32 = 1024;

/// The thinking mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    /// Disabled, for models that think by default.
    Disabled,
    /// With a token budget.
    Enabled { budget_tokens: u32 },
    /// The model decides. The summary must be requested: newer models omit it by default.
    Adaptive { display: &'static str },
}

impl Thinking {
    const ADAPTIVE: Self = Self::Adaptive {
        display: "summarized",
    };
}

/// The parameters for an effort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// `None` for the model's default.
    pub(super) thinking: Option<Thinking>,
    /// The effort, by this API's name.
    pub(super) effort: Option<&'static str>,
    /// Whether the model may think: it then accepts signed reasoning.
    pub(super) thinks: bool,
}

/// Selects the thinking parameters of a request that names its mode: exactly that mode, if the model
/// supports it.
pub(super) fn plan_mode(
    mode: ThinkingMode,
    effort: Option<ReasoningEffort>,
    style: ThinkingStyle,
    max_tokens: u32,
    may_start: bool,
) -> Plan {
    use ThinkingMode::{Adaptive, Budget, Disabled, Unset};
    let by_effort = plan(effort, style, max_tokens, may_start);
    match (mode, style) {
        _ if !may_start => by_effort,
        (Unset, ThinkingStyle::Adaptive | ThinkingStyle::Always) => Plan {
            thinking: None,
            ..by_effort
        },
        (Unset | Disabled, ThinkingStyle::Unknown | ThinkingStyle::Budget) => Plan::default(),
        (Budget(tokens), ThinkingStyle::Unknown | ThinkingStyle::Budget) => {
            let budget_tokens = tokens.min(max_tokens.saturating_sub(1));
            let thinks = budget_tokens >= MIN_BUDGET;
            Plan {
                thinking: thinks.then_some(Thinking::Enabled { budget_tokens }),
                effort: None,
                thinks,
            }
        }
        (Adaptive, ThinkingStyle::Unknown) => Plan {
            thinking: Some(Thinking::ADAPTIVE),
            effort: effort.and_then(name),
            thinks: true,
        },
        (Disabled | Budget(_) | Adaptive, _) => by_effort,
    }
}

/// Selects the thinking parameters of a request. `may_start` is false if thinking cannot be
/// enabled: a tool is forced, or the conversation lacks the reasoning that a tool chain must
/// continue.
pub(super) fn plan(
    effort: Option<ReasoningEffort>,
    style: ThinkingStyle,
    max_tokens: u32,
    may_start: bool,
) -> Plan {
    let is_off = effort == Some(ReasoningEffort::None);
    let adaptive = Plan {
        thinking: effort.map(|_| Thinking::ADAPTIVE),
        effort: effort.and_then(name),
        thinks: true,
    };
    match style {
        ThinkingStyle::Unknown => Plan::default(),
        ThinkingStyle::Adaptive if is_off || !may_start => Plan {
            thinking: Some(Thinking::Disabled),
            ..Plan::default()
        },
        ThinkingStyle::Adaptive | ThinkingStyle::Always => adaptive,
        ThinkingStyle::Budget => {
            let wanted = effort.map_or(0, budget);
            let budget = wanted.min(max_tokens.saturating_sub(MIN_ANSWER));
            let thinks = budget >= MIN_BUDGET && may_start;
            Plan {
                thinking: thinks.then_some(Thinking::Enabled {
                    budget_tokens: budget,
                }),
                effort: None,
                thinks,
            }
        }
    }
}

const fn name(effort: ReasoningEffort) -> Option<&'static str> {
    match effort {
        ReasoningEffort::Adaptive => None,
        ReasoningEffort::None | ReasoningEffort::Minimal | ReasoningEffort::Low => Some("low"),
        ReasoningEffort::Medium => Some("medium"),
        ReasoningEffort::High => Some("high"),
        ReasoningEffort::Xhigh => Some("xhigh"),
        ReasoningEffort::Max => Some("max"),
    }
}

/// The token budget of an effort.
pub(super) const fn budget(effort: ReasoningEffort) -> u32 {
    match effort {
        ReasoningEffort::None => 0,
        ReasoningEffort::Minimal => MIN_BUDGET,
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
    fn thinking_is_disabled_unless_the_budget_leaves_room_for_the_response() {
        let effort = Some(ReasoningEffort::Medium);
        let plan = |max| plan(effort, ThinkingStyle::Budget, max, true).thinking;
        let enabled = |budget_tokens| Some(Thinking::Enabled { budget_tokens });
        assert_eq!(plan(64_000), enabled(8192));
        assert_eq!(plan(4096), enabled(3072));
        assert_eq!(plan(2047), None);
    }

    #[test]
    fn a_mode_is_sent_as_it_is_where_the_model_has_it() {
        use ThinkingMode::{Adaptive, Budget, Disabled, Unset};
        let effort = Some(ReasoningEffort::High);
        let enabled = |budget_tokens| Some(Thinking::Enabled { budget_tokens });
        let (adaptive, off) = (Some(Thinking::ADAPTIVE), Some(Thinking::Disabled));
        let high = Some("high");
        for (mode, effort, style, thinking, name) in [
            (
                Budget(5000),
                effort,
                ThinkingStyle::Budget,
                enabled(5000),
                None,
            ),
            (
                Budget(5000),
                effort,
                ThinkingStyle::Unknown,
                enabled(5000),
                None,
            ),
            (
                Budget(90_000),
                effort,
                ThinkingStyle::Budget,
                enabled(63_999),
                None,
            ),
            (
                Budget(5000),
                effort,
                ThinkingStyle::Adaptive,
                adaptive,
                high,
            ),
            (Adaptive, effort, ThinkingStyle::Unknown, adaptive, high),
            (
                Adaptive,
                effort,
                ThinkingStyle::Budget,
                enabled(16_384),
                None,
            ),
            (Unset, effort, ThinkingStyle::Adaptive, None, high),
            (Unset, effort, ThinkingStyle::Budget, None, None),
            (
                Disabled,
                Some(ReasoningEffort::None),
                ThinkingStyle::Adaptive,
                off,
                None,
            ),
            (
                Disabled,
                Some(ReasoningEffort::None),
                ThinkingStyle::Unknown,
                None,
                None,
            ),
        ] {
            let plan = plan_mode(mode, effort, style, 64_000, true);
            assert_eq!(
                (plan.thinking, plan.effort),
                (thinking, name),
                "{mode:?} {style:?}"
            );
        }
    }

    #[test]
    fn each_style_has_its_own_parameters() {
        use ReasoningEffort::{Adaptive, High, None as Off};
        let adaptive = Some(Thinking::ADAPTIVE);
        let off = Some(Thinking::Disabled);
        let cases = [
            (
                Some(High),
                ThinkingStyle::Adaptive,
                true,
                adaptive,
                Some("high"),
                true,
            ),
            (
                Some(Adaptive),
                ThinkingStyle::Adaptive,
                true,
                adaptive,
                None,
                true,
            ),
            (Some(Off), ThinkingStyle::Adaptive, true, off, None, false),
            (Some(High), ThinkingStyle::Adaptive, false, off, None, false),
            (None, ThinkingStyle::Adaptive, true, None, None, true),
            (
                Some(Off),
                ThinkingStyle::Always,
                false,
                adaptive,
                Some("low"),
                true,
            ),
            (None, ThinkingStyle::Always, true, None, None, true),
            (Some(High), ThinkingStyle::Unknown, true, None, None, false),
            (Some(High), ThinkingStyle::Budget, false, None, None, false),
        ];
        for (effort, style, may_start, thinking, name, thinks) in cases {
            let expected = Plan {
                thinking,
                effort: name,
                thinks,
            };
            assert_eq!(
                plan(effort, style, 64_000, may_start),
                expected,
                "{effort:?} {style:?} {may_start}"
            );
        }
    }
}
