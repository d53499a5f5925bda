//! Token usage.

use serde::{Deserialize, Serialize};

/// The token usage of a model call, as in the `usage` member of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(clippy::struct_field_names, reason = "the wire's own names")]
pub struct Usage {
    /// Tokens of the request, including history.
    pub prompt_tokens: u64,
    /// Tokens of the response, including reasoning.
    pub completion_tokens: u64,
    /// The sum of both.
    pub total_tokens: u64,
    /// Details of the request tokens, if the provider reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptDetails>,
    /// Details of the response tokens, if the provider reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens_details: Option<CompletionDetails>,
}

/// Details of the request tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "PromptTokensDetails")
)]
#[allow(clippy::struct_field_names, reason = "the wire's own names")]
pub struct PromptDetails {
    /// Tokens read from the provider's prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Tokens written to the provider's prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Audio tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_tokens: Option<u64>,
}

/// Details of the response tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CompletionTokensDetails")
)]
#[allow(clippy::struct_field_names, reason = "the wire's own names")]
pub struct CompletionDetails {
    /// Reasoning tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Audio tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_tokens: Option<u64>,
    /// Predicted tokens that the response contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_prediction_tokens: Option<u64>,
    /// Predicted tokens that the response does not contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_prediction_tokens: Option<u64>,
}

impl Usage {
    /// A usage without details.
    pub const fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: None,
            completion_tokens_details: None,
        }
    }

    /// The sum of two usages. A detail is present if either usage has it.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let (a, b) = (self.prompt_tokens_details, other.prompt_tokens_details);
        let prompt = combine(a, b, |a, b| PromptDetails {
            cached_tokens: sum(a.cached_tokens, b.cached_tokens),
            cache_write_tokens: sum(a.cache_write_tokens, b.cache_write_tokens),
            audio_tokens: sum(a.audio_tokens, b.audio_tokens),
        });
        let (a, b) = (
            self.completion_tokens_details,
            other.completion_tokens_details,
        );
        let completion = combine(a, b, |a, b| CompletionDetails {
            reasoning_tokens: sum(a.reasoning_tokens, b.reasoning_tokens),
            audio_tokens: sum(a.audio_tokens, b.audio_tokens),
            accepted_prediction_tokens: sum(
                a.accepted_prediction_tokens,
                b.accepted_prediction_tokens,
            ),
            rejected_prediction_tokens: sum(
                a.rejected_prediction_tokens,
                b.rejected_prediction_tokens,
            ),
        });
        Self {
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self
                .completion_tokens
                .saturating_add(other.completion_tokens),
            total_tokens: self.total_tokens.saturating_add(other.total_tokens),
            prompt_tokens_details: prompt,
            completion_tokens_details: completion,
        }
    }
}

fn combine<T: Default>(a: Option<T>, b: Option<T>, add: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (None, None) => None,
        (a, b) => Some(add(a.unwrap_or_default(), b.unwrap_or_default())),
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    combine(a, b, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_has_the_details_of_either_usage() {
        let cached = |cached_tokens| Usage {
            prompt_tokens_details: Some(PromptDetails {
                cached_tokens,
                ..PromptDetails::default()
            }),
            ..Usage::new(10, 2)
        };
        let sum = cached(Some(4)).plus(&cached(None)).plus(&Usage::new(1, 1));
        assert_eq!(
            (sum.prompt_tokens, sum.completion_tokens, sum.total_tokens),
            (21, 5, 26)
        );
        let details = sum.prompt_tokens_details.expect("details");
        assert_eq!(
            (details.cached_tokens, details.audio_tokens),
            (Some(4), None)
        );
        assert_eq!(sum.completion_tokens_details, None);
    }
}
