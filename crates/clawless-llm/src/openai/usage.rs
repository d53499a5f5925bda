//! Usage, believed only where it can be true.

use clawless_core::Usage;
use clawless_core::chat::{CompletionDetails, PromptDetails};
use clawless_core::json::Json;
use serde::Deserialize;

use crate::plausible;

#[derive(Deserialize)]
struct Wire {
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    total_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<Json>,
    #[serde(default)]
    completion_tokens_details: Option<Json>,
}

/// Reads a `usage` member. What is negative, fractional, huge or otherwise no usage is refused,
/// and counts as missing: the tokens are estimated then, and the log says so.
pub(crate) fn read(json: &Json) -> Option<Usage> {
    let usage = json.read::<Wire>().ok().and_then(check);
    if usage.is_none() {
        tracing::warn!("the provider told an impossible usage; it will be estimated");
    }
    usage
}

fn check(wire: Wire) -> Option<Usage> {
    let told = wire.total_tokens.unwrap_or(0);
    // Some servers leave reasoning out of the answer's tokens and count it in the total alone.
    let completion = wire
        .completion_tokens
        .max(told.saturating_sub(wire.prompt_tokens));
    let mut usage = plausible::usage(wire.prompt_tokens, completion)?;
    usage.prompt_tokens_details = wire
        .prompt_tokens_details
        .and_then(|json| json.read::<PromptDetails>().ok());
    usage.completion_tokens_details = wire
        .completion_tokens_details
        .and_then(|json| json.read::<CompletionDetails>().ok());
    let cached = usage.prompt_tokens_details.and_then(|it| it.cached_tokens);
    if cached > Some(usage.prompt_tokens) {
        usage.prompt_tokens_details = None;
    }
    let reasoning = usage
        .completion_tokens_details
        .and_then(|it| it.reasoning_tokens);
    if reasoning > Some(usage.completion_tokens) {
        usage.completion_tokens_details = None;
    }
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Option<Usage> {
        read(&Json::parse(text.to_owned()).expect("JSON"))
    }

    #[test]
    fn impossible_usage_is_refused() {
        for text in [
            r#"{"prompt_tokens":-1,"completion_tokens":2}"#,
            r#"{"prompt_tokens":1,"completion_tokens":-2,"total_tokens":-1}"#,
            r#"{"prompt_tokens":9223372036854775808,"completion_tokens":2}"#,
            r#"{"prompt_tokens":1,"completion_tokens":18446744073709551616}"#,
            r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":4000000000}"#,
            r#"{"prompt_tokens":1.5,"completion_tokens":2}"#,
            r#"{"prompt_tokens":"1","completion_tokens":2}"#,
            r#"{"prompt_tokens":null,"completion_tokens":2}"#,
            "{}",
            "[]",
            "7",
        ] {
            assert_eq!(read_text(text), None, "{text}");
        }
    }

    #[test]
    fn totals_are_our_own_sum_and_details_are_kept_where_they_can_be_true() {
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
    fn reasoning_that_only_the_total_counts_belongs_to_the_answer() {
        let text = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115}"#;
        assert_eq!(read_text(text), Some(Usage::of(10, 105)));
    }
}
