//! Parses usage from every location that servers use, and discards implausible values.

use clawless_core::Usage;
use clawless_core::chat::{CompletionDetails, PromptDetails};
use clawless_core::json::Json;
use serde::de::IgnoredAny;
use serde::de::MapAccess;

use crate::plausible;
use crate::tolerant::{FromMap, LooseInt, Maybe};

/// A `usage` member with the names of `OpenAI`'s chat completions and Responses APIs and of other
/// servers.
#[derive(Default)]
struct Wire {
    prompt_tokens: LooseInt,
    completion_tokens: LooseInt,
    total_tokens: LooseInt,
    /// The newer name of `prompt_tokens`.
    input_tokens: LooseInt,
    /// The newer name of `completion_tokens`.
    output_tokens: LooseInt,
    prompt_details: Details,
    completion_details: Details,
    /// Cached tokens, under the names that are next to the totals.
    cached_tokens: Option<u64>,
    /// Cached tokens that are not included in `input_tokens`, in Anthropic's form.
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    reasoning_tokens: LooseInt,
    /// Whether an output count is present but invalid.
    is_unreadable: bool,
}

/// Details of either total.
#[derive(Default, Clone)]
struct Details {
    is_present: bool,
    cached_tokens: LooseInt,
    cache_write_tokens: LooseInt,
    audio_tokens: LooseInt,
    reasoning_tokens: LooseInt,
    accepted_prediction_tokens: LooseInt,
    rejected_prediction_tokens: LooseInt,
}

impl FromMap for Wire {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let largest = |known: Option<u64>, more: LooseInt| known.max(more.count());
        match name {
            "prompt_tokens" => self.prompt_tokens = map.next_value()?,
            "completion_tokens" => {
                self.completion_tokens = map.next_value()?;
                self.is_unreadable |= self.completion_tokens.count().is_none();
            }
            "total_tokens" => self.total_tokens = map.next_value()?,
            "input_tokens" => self.input_tokens = map.next_value()?,
            "output_tokens" => self.output_tokens = map.next_value()?,
            "prompt_tokens_details" | "input_tokens_details" => {
                let details: Maybe<Details> = map.next_value()?;
                self.prompt_details.fill(details);
            }
            "completion_tokens_details" | "output_tokens_details" => {
                let details: Maybe<Details> = map.next_value()?;
                self.completion_details.fill(details);
            }
            "cached_tokens"
            | "prompt_cache_hit_tokens"
            | "num_cached_tokens"
            | "cached_prompt_tokens"
            | "cachedTokens" => {
                self.cached_tokens = largest(self.cached_tokens, map.next_value()?);
            }
            "cache_read_input_tokens" => {
                self.cache_read_tokens = largest(self.cache_read_tokens, map.next_value()?);
            }
            "cache_creation_input_tokens" => {
                self.cache_write_tokens = largest(self.cache_write_tokens, map.next_value()?);
            }
            "reasoning_tokens" => self.reasoning_tokens = map.next_value()?,
            _ if self.take_native(name, map)? => {}
            _ => map.next_value::<IgnoredAny>().map(drop)?,
        }
        Ok(())
    }
}

impl Wire {
    /// Takes a member of a native API instead of `OpenAI`'s: Google's `usageMetadata`, llama.cpp's
    /// `timings`, Ollama's counts, or camel case. Returns whether `name` is one.
    fn take_native<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        let count = match name {
            "promptTokenCount" | "prompt_token_count" | "promptTokens" | "prompt_eval_count" => {
                &mut self.prompt_tokens
            }
            "candidatesTokenCount"
            | "candidates_token_count"
            | "completionTokens"
            | "eval_count"
            | "predicted_n" => &mut self.completion_tokens,
            "totalTokenCount" | "total_token_count" | "totalTokens" => &mut self.total_tokens,
            "thoughtsTokenCount" | "thoughts_token_count" => &mut self.reasoning_tokens,
            "inputTokens" | "prompt_n" => &mut self.input_tokens,
            "outputTokens" => &mut self.output_tokens,
            "cachedContentTokenCount" | "cached_content_token_count" => {
                self.cached_tokens = self
                    .cached_tokens
                    .max(map.next_value::<LooseInt>()?.count());
                return Ok(true);
            }
            // Not included in `prompt_n`.
            "cache_n" => {
                self.cache_read_tokens = map.next_value::<LooseInt>()?.count();
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *count = map.next_value()?;
        Ok(true)
    }
}

impl FromMap for Details {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.is_present = true;
        match name {
            "cached_tokens" => self.cached_tokens = map.next_value()?,
            "cache_write_tokens" | "cache_creation_tokens" | "cache_creation_input_tokens" => {
                self.cache_write_tokens = map.next_value()?;
            }
            "audio_tokens" => self.audio_tokens = map.next_value()?,
            "reasoning_tokens" => self.reasoning_tokens = map.next_value()?,
            "accepted_prediction_tokens" => self.accepted_prediction_tokens = map.next_value()?,
            "rejected_prediction_tokens" => self.rejected_prediction_tokens = map.next_value()?,
            _ => map.next_value::<IgnoredAny>().map(drop)?,
        }
        Ok(())
    }
}

impl Details {
    fn fill(&mut self, details: Maybe<Self>) {
        if let Some(details) = details.0
            && !self.is_present
        {
            *self = *details;
        }
    }
}

/// Parses a `usage` member. Negative, fractional, huge or absent counts and zero input tokens
/// invalidate the whole usage, which is then estimated.
pub(crate) fn read(json: &Json) -> Option<Usage> {
    json.read::<Maybe<Wire>>().ok()?.0?.check()
}

impl Wire {
    fn check(self) -> Option<Usage> {
        let reported = self.prompt_tokens.count();
        // In Anthropic's form, cached tokens are not included in the input tokens.
        let outside = [self.cache_read_tokens, self.cache_write_tokens];
        let outside: u64 = outside.into_iter().flatten().fold(0, u64::saturating_add);
        let prompt =
            reported.or_else(|| Some(self.input_tokens.count()?.saturating_add(outside)))?;
        if self.is_unreadable {
            return None;
        }
        let completion = self.completion_tokens.count();
        let completion = completion.or(self.output_tokens.count()).unwrap_or(0);
        let total = self.total_tokens.count().unwrap_or(0);
        // Some servers exclude reasoning from the output tokens and include it only in the total.
        let completion = completion.max(total.saturating_sub(prompt));
        let mut usage = plausible::usage(prompt, completion)?;
        usage.prompt_tokens_details = self.prompt_details(prompt);
        usage.completion_tokens_details = self.completion_details(completion);
        Some(usage)
    }

    fn prompt_details(&self, prompt: u64) -> Option<PromptDetails> {
        let details = &self.prompt_details;
        let cached = details.cached_tokens.count();
        let cached = cached.max(self.cached_tokens).max(self.cache_read_tokens);
        let write = details.cache_write_tokens.count();
        let write = write.max(self.cache_write_tokens);
        let audio = details.audio_tokens.count();
        let is_present = details.is_present || cached.is_some() || write.is_some();
        let sum = cached.unwrap_or(0).saturating_add(write.unwrap_or(0));
        (is_present && sum <= prompt).then_some(PromptDetails {
            cached_tokens: cached,
            cache_write_tokens: write,
            audio_tokens: audio,
        })
    }

    fn completion_details(&self, completion: u64) -> Option<CompletionDetails> {
        let details = &self.completion_details;
        let reasoning = details.reasoning_tokens.count();
        let reasoning = reasoning.max(self.reasoning_tokens.count());
        let is_present = details.is_present || reasoning.is_some();
        (is_present && reasoning.unwrap_or(0) <= completion).then_some(CompletionDetails {
            reasoning_tokens: reasoning,
            audio_tokens: details.audio_tokens.count(),
            accepted_prediction_tokens: details.accepted_prediction_tokens.count(),
            rejected_prediction_tokens: details.rejected_prediction_tokens.count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Option<Usage> {
        read(&Json::parse(text.to_owned()).expect("JSON"))
    }

    #[test]
    fn implausible_usage_is_rejected() {
        for text in [
            r#"{"prompt_tokens":-1,"completion_tokens":2}"#,
            r#"{"prompt_tokens":1,"completion_tokens":-2,"total_tokens":-1}"#,
            r#"{"prompt_tokens":9223372036854775808,"completion_tokens":2}"#,
            r#"{"prompt_tokens":1,"completion_tokens":18446744073709551616}"#,
            r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":4000000000}"#,
            r#"{"prompt_tokens":1.5,"completion_tokens":2}"#,
            r#"{"prompt_tokens":"one","completion_tokens":2}"#,
            r#"{"prompt_tokens":0,"completion_tokens":400,"total_tokens":400}"#,
            r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
            r#"{"total_tokens":0,"total_characters":0}"#,
            r#"{"prompt_tokens":null,"completion_tokens":2}"#,
            "{}",
            "[]",
            "7",
        ] {
            assert_eq!(read_text(text), None, "{text}");
        }
    }

    #[test]
    fn totals_are_recomputed_and_plausible_details_are_kept() {
        let usage = read_text(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":3,"x":[],
                "prompt_tokens_details":{"cached_tokens":4,"x":1},
                "completion_tokens_details":{"reasoning_tokens":99}}"#,
        )
        .expect("possible");
        assert_eq!(usage.total_tokens, 15);
        assert_eq!(
            usage.prompt_tokens_details.and_then(|it| it.cached_tokens),
            Some(4)
        );
        assert_eq!(usage.completion_tokens_details, None);
    }

    #[test]
    fn reasoning_counted_only_in_the_total_is_output() {
        let text = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115}"#;
        assert_eq!(read_text(text), Some(Usage::new(10, 105)));
    }

    #[test]
    fn counts_of_other_json_types_are_converted() {
        for text in [
            r#"{"prompt_tokens":11.0,"completion_tokens":5.0,"total_tokens":16.0}"#,
            r#"{"prompt_tokens":"11","completion_tokens":"5"}"#,
            r#"{"input_tokens":11,"output_tokens":5}"#,
            r#"{"promptTokens":11,"completionTokens":5}"#,
            r#"{"inputTokens":11,"outputTokens":5,"totalTokens":16}"#,
            r#"{"promptTokenCount":11,"candidatesTokenCount":5,"totalTokenCount":16}"#,
            r#"{"promptTokenCount":11,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":16}"#,
            r#"{"prompt_token_count":11,"candidates_token_count":5,"total_token_count":16}"#,
            r#"{"prompt_token_count":11,"candidates_token_count":2,"thoughts_token_count":3,"total_token_count":16}"#,
            r#"{"prompt_eval_count":11,"eval_count":5}"#,
            r#"{"prompt_n":11,"predicted_n":5,"predicted_ms":12.5}"#,
            r#"{"cache_n":7,"prompt_n":4,"predicted_n":5}"#,
        ] {
            let usage =
                read_text(text).map(|it| Usage::new(it.prompt_tokens, it.completion_tokens));
            assert_eq!(usage, Some(Usage::new(11, 5)), "{text}");
        }
    }

    #[test]
    fn cached_tokens_are_parsed_from_every_location() {
        for text in [
            r#"{"prompt_tokens":100,"completion_tokens":1,"cached_tokens":90}"#,
            r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_cache_hit_tokens":90,"prompt_cache_miss_tokens":10}"#,
            r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":90}}"#,
            r#"{"prompt_tokens":100,"completion_tokens":1,"input_tokens_details":{"cached_tokens":90}}"#,
            r#"{"prompt_tokens":100,"completion_tokens":1,"cached_tokens":90,"prompt_tokens_details":{"cached_tokens":0}}"#,
            r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":null,"num_cached_tokens":90}"#,
            r#"{"input_tokens":10,"output_tokens":1,"cache_read_input_tokens":90}"#,
            r#"{"prompt_tokens":100,"completion_tokens":1,"cache_read_input_tokens":90}"#,
            r#"{"promptTokenCount":100,"candidatesTokenCount":1,"cachedContentTokenCount":90}"#,
            r#"{"prompt_token_count":100,"candidates_token_count":1,"cached_content_token_count":90}"#,
            r#"{"prompt_n":10,"cache_n":90,"predicted_n":1}"#,
            r#"{"prompt_tokens":100.0,"completion_tokens":"1","prompt_tokens_details":{"cached_tokens":"90"}}"#,
        ] {
            let usage = read_text(text).expect("possible");
            assert_eq!(usage.prompt_tokens, 100, "{text}");
            let details = usage.prompt_tokens_details.expect("details");
            assert_eq!(details.cached_tokens, Some(90), "{text}");
        }
        let impossible = r#"{"prompt_tokens":10,"completion_tokens":1,"cached_tokens":90}"#;
        let usage = read_text(impossible).expect("possible");
        assert_eq!(usage, Usage::new(10, 1));
    }
}
