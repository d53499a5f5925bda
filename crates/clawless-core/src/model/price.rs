//! Prices of models, and the cost of a call.

use serde::{Deserialize, Serialize};

use crate::chat::Usage;
use crate::money::MicroDollars;

/// The prices of a model, in micro-dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Request tokens.
    pub input: MicroDollars,
    /// Response tokens.
    pub output: MicroDollars,
    /// Request tokens read from the prompt cache. `input` if absent.
    #[serde(default)]
    pub cached_input: Option<MicroDollars>,
    /// Request tokens written to the prompt cache. `input` if absent.
    #[serde(default)]
    pub cache_write: Option<MicroDollars>,
    /// The date of the price.
    #[serde(default)]
    pub as_of: String,
    /// The source of the price.
    #[serde(default)]
    pub source: String,
}

impl ModelPrice {
    /// The cost of a call. The sum is rounded up to a whole micro-dollar.
    pub fn cost(&self, usage: &Usage) -> MicroDollars {
        let details = usage.prompt_tokens_details.unwrap_or_default();
        let read = details.cached_tokens.unwrap_or(0).min(usage.prompt_tokens);
        let written = details.cache_write_tokens.unwrap_or(0);
        let written = written.min(usage.prompt_tokens - read);
        let fresh = usage.prompt_tokens - read - written;
        let parts = [
            (fresh, self.input),
            (read, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (usage.completion_tokens, self.output),
        ];
        let exact = parts.iter().fold(0_u128, |sum, (tokens, price)| {
            sum.saturating_add(u128::from(*tokens) * u128::from(price.get()))
        });
        MicroDollars::new(u64::try_from(exact.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::PromptDetails;

    #[test]
    fn cost_distinguishes_cached_tokens_and_is_rounded_once() {
        let price = ModelPrice {
            input: MicroDollars::new(4_000_000),
            output: MicroDollars::new(20_000_000),
            cached_input: Some(MicroDollars::new(200_000)),
            cache_write: Some(MicroDollars::new(5_000_000)),
            as_of: String::new(),
            source: String::new(),
        };
        let mut usage = Usage::new(5100, 89);
        usage.prompt_tokens_details = Some(PromptDetails {
            cached_tokens: Some(3000),
            cache_write_tokens: Some(2000),
            ..PromptDetails::default()
        });
        // 100 × 4 + 3000 × 0.2 + 2000 × 5 + 89 × 20
        assert_eq!(price.cost(&usage), MicroDollars::new(12_780));
        assert_eq!(price.cost(&Usage::new(u64::MAX, u64::MAX)).get(), u64::MAX);
        let one = ModelPrice {
            input: MicroDollars::new(1),
            ..price
        };
        assert_eq!(one.cost(&Usage::new(1, 0)), MicroDollars::new(1));
    }
}
