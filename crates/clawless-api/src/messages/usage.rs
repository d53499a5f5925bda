//! Token usage in Anthropic's terms: tokens of the prompt cache are counted beside the input.

use clawless_core::chat::Usage;
use serde::Serialize;

/// The `usage` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(clippy::struct_field_names, reason = "the wire's own names")]
pub(super) struct MessageUsage {
    /// Tokens of the input that were neither read from a prompt cache nor written to it.
    input_tokens: u64,
    /// Tokens written to the provider's prompt cache.
    cache_creation_input_tokens: u64,
    /// Tokens read from the provider's prompt cache.
    cache_read_input_tokens: u64,
    /// Tokens of the answer.
    output_tokens: u64,
    /// Details of the answer's tokens, if the provider reports them.
    output_tokens_details: Option<OutputTokensDetails>,
    /// Not known: providers report one sum.
    cache_creation: (),
    /// Not known.
    inference_geo: (),
    /// Tools of the provider, which are not offered.
    server_tool_use: (),
    /// Not known.
    service_tier: (),
    /// Not known.
    speed: (),
}

/// Details of the tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct OutputTokensDetails {
    /// Tokens of reasoning.
    thinking_tokens: u64,
}

impl From<Usage> for MessageUsage {
    fn from(usage: Usage) -> Self {
        let details = usage.prompt_tokens_details.unwrap_or_default();
        let read = details.cached_tokens.unwrap_or(0);
        let written = details.cache_write_tokens.unwrap_or(0);
        Self {
            input_tokens: usage
                .prompt_tokens
                .saturating_sub(read.saturating_add(written)),
            cache_creation_input_tokens: written,
            cache_read_input_tokens: read,
            output_tokens: usage.completion_tokens,
            output_tokens_details: usage
                .completion_tokens_details
                .and_then(|details| details.reasoning_tokens)
                .map(|thinking_tokens| OutputTokensDetails { thinking_tokens }),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clawless_core::chat::{CompletionDetails, PromptDetails};

    use super::*;

    #[test]
    fn cached_tokens_are_counted_beside_the_input() {
        let usage = Usage {
            prompt_tokens_details: Some(PromptDetails {
                cached_tokens: Some(60),
                cache_write_tokens: Some(30),
                audio_tokens: None,
            }),
            completion_tokens_details: Some(CompletionDetails {
                reasoning_tokens: Some(5),
                ..CompletionDetails::default()
            }),
            ..Usage::new(100, 7)
        };
        let json = serde_json::to_value(MessageUsage::from(usage)).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({"input_tokens": 10, "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 60, "output_tokens": 7,
                "output_tokens_details": {"thinking_tokens": 5}, "cache_creation": null,
                "inference_geo": null, "server_tool_use": null, "service_tier": null, "speed": null})
        );
    }
}
