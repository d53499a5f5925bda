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
        }
    }
}

#[cfg(test)]
mod tests {
    use clawless_core::chat::PromptDetails;

    use super::*;

    #[test]
    fn cached_tokens_are_counted_beside_the_input() {
        let usage = Usage {
            prompt_tokens_details: Some(PromptDetails {
                cached_tokens: Some(60),
                cache_write_tokens: Some(30),
                audio_tokens: None,
            }),
            ..Usage::new(100, 7)
        };
        let json = serde_json::to_value(MessageUsage::from(usage)).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({"input_tokens": 10, "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 60, "output_tokens": 7})
        );
    }
}
