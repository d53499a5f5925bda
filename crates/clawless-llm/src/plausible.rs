//! Checks whether reported usage is plausible. Implausible usage counts as missing and is
//! estimated, so that no call is charged nothing or far too much.

use clawless_core::chat::{Content, Part};
use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::model::Model;
use clawless_core::{Message, Tokens, Usage};
use serde::Deserialize;

use crate::media;
use crate::profile::Profile;

/// The maximum number of tokens of one call: a hundred times the largest known context window. A
/// provider that reports more is faulty.
const MAX_TOKENS: u64 = 1_000_000_000;

/// Tokens that a provider may add to a request: its template, its own instructions, its search
/// results.
const MAX_ADDED_INPUT: u64 = 131_072;

/// The maximum number of tokens of one image, recording or file.
const MAX_PER_MEDIUM: u64 = 262_144;

/// Tokens by which a response may exceed its limit: some servers count the end token or the
/// template.
const LIMIT_SLACK: u64 = 64;

/// Tokens of a response without text: control tokens, and the template of tool calls.
const MAX_INVISIBLE: u64 = 1024;

/// A usage of these counts; `None` if they are implausible, because no request is empty.
pub(crate) fn usage(prompt_tokens: u64, completion_tokens: u64) -> Option<Usage> {
    let is_possible =
        prompt_tokens > 0 && prompt_tokens <= MAX_TOKENS && completion_tokens <= MAX_TOKENS;
    is_possible.then(|| Usage::new(prompt_tokens, completion_tokens))
}

/// The reported usage, if it is plausible for this request, response and model.
pub fn check(
    request: &LlmRequest,
    answer: &LlmResponse,
    model: &Model,
    profile: &Profile,
) -> Option<Usage> {
    let usage = answer.usage?;
    let output = usage.completion_tokens;
    let is_possible = usage.prompt_tokens > 0
        && (output > 0 || visible_bytes(answer) == 0)
        && max_by_limit(request, model).is_none_or(|max| output <= max)
        && max_by_bytes(request, answer, model, profile).is_none_or(|max| output <= max)
        && is_possible_input(request, usage.prompt_tokens);
    let is_complete = answer.choices.iter().all(|it| it.finish_reason.is_some());
    if !is_possible && is_complete {
        tracing::warn!(
            model = model.id,
            "impossible usage of the provider replaced by an estimate"
        );
    }
    is_possible.then_some(usage)
}

/// The input of the reported usage, which some providers know before the output, if it is plausible.
pub(crate) fn known_input(request: &LlmRequest, answer: &LlmResponse) -> Option<Usage> {
    let known = |usage: &Usage| usage.prompt_tokens > 0;
    let usage = answer.usage.filter(known)?;
    is_possible_input(request, usage.prompt_tokens).then_some(usage)
}

/// The output limit of the request, else of the model.
fn max_by_limit(request: &LlmRequest, model: &Model) -> Option<u64> {
    let limit = request.options.max_output().map(u64::from);
    let limit = limit.or_else(|| model.max_output.map(Tokens::get))?;
    let choices = u64::from(request.options.n.unwrap_or(1));
    Some(
        limit
            .saturating_mul(choices)
            .saturating_add(LIMIT_SLACK.saturating_mul(choices)),
    )
}

/// The maximum number of tokens of a response of these bytes, if all of it is visible.
fn max_by_bytes(
    request: &LlmRequest,
    answer: &LlmResponse,
    model: &Model,
    profile: &Profile,
) -> Option<u64> {
    if profile.hidden_reasoning || model.supports_thinking() || hides_reasoning(request, profile) {
        return None;
    }
    let details = answer.usage.and_then(|it| it.completion_tokens_details);
    let reasoning = details.and_then(|it| it.reasoning_tokens).unwrap_or(0);
    // Predicted tokens that the answer does not contain are charged, too.
    let rejected = details.and_then(|it| it.rejected_prediction_tokens);
    let predicted = request.options.prediction.as_ref();
    let predicted = predicted.map_or(0, |json| json.as_str().len() as u64);
    let rejected = rejected.unwrap_or(0).min(predicted);
    let choices = answer.choices.len() as u64;
    let invisible = MAX_INVISIBLE.saturating_mul(choices.max(1));
    let max = visible_bytes(answer).saturating_add(invisible);
    Some(max.saturating_add(reasoning).saturating_add(rejected))
}

/// Whether the request asks the provider to omit the reasoning from the response, in the form of
/// vLLM and `OpenRouter`, of Groq, or of `OpenRouter`'s object.
fn hides_reasoning(request: &LlmRequest, profile: &Profile) -> bool {
    #[derive(Deserialize)]
    struct Reasoning {
        exclude: bool,
    }
    let mut extensions = request.options.extensions.iter();
    extensions.any(|(name, value)| {
        let hides = match name.as_str() {
            "include_reasoning" => value.as_str() == "false",
            "reasoning_format" => value.as_str() == "\"hidden\"",
            "reasoning" => value.read().is_ok_and(|it: Reasoning| it.exclude),
            _ => false,
        };
        hides && profile.passes.contains(&name.as_str())
    })
}

/// The client-visible bytes of a response.
fn visible_bytes(answer: &LlmResponse) -> u64 {
    let choices = answer.choices.iter().map(|choice| {
        let texts = [&choice.content, &choice.reasoning, &choice.refusal];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let calls = choice.tool_calls.iter();
        let calls: usize = calls.map(|it| it.name.len() + it.arguments.len()).sum();
        let members = choice.members.0.iter();
        let members: usize = members.map(|(_, value)| value.as_str().len()).sum();
        texts + calls + members
    });
    choices.sum::<usize>() as u64
}

fn is_possible_input(request: &LlmRequest, tokens: u64) -> bool {
    let text = |message: &Message| message.raw().as_str().len() as u64;
    let bytes: u64 = request.messages.iter().map(text).sum();
    let max = bytes.saturating_add(MAX_ADDED_INPUT);
    if tokens <= max {
        return true;
    }
    let media = request.messages.iter().map(media_count);
    let media = media.sum::<u64>().saturating_mul(MAX_PER_MEDIUM);
    let options = serde_json::to_vec(&request.options).map_or(0, |it| it.len() as u64);
    tokens <= max.saturating_add(media).saturating_add(options)
}

/// The number of a message's media, and of parts of types that are not known here.
fn media_count(message: &Message) -> u64 {
    let is_unknown = |part: &&Part| matches!(part, Part::Extension(_));
    let unknown = match message.view().ok().and_then(|view| view.content) {
        Some(Content::Parts(parts)) => parts.iter().filter(is_unknown).count(),
        _ => 0,
    };
    media::media(message.raw().as_str()).len().max(unknown) as u64
}

#[cfg(test)]
mod tests {
    use clawless_core::Role;
    use clawless_core::chat::ChatOptions;
    use clawless_core::llm::LlmChoice;

    use super::*;
    use crate::profile::{DEFAULT, PROFILES};

    fn is_plausible(usage: Usage, max_tokens: Option<u32>, profile: &Profile) -> bool {
        let options = ChatOptions {
            max_tokens,
            n: Some(2),
            ..ChatOptions::default()
        };
        is_plausible_with(usage, options, profile)
    }

    fn is_plausible_with(usage: Usage, options: ChatOptions, profile: &Profile) -> bool {
        let model = serde_json::from_value(serde_json::json!({"id": "m"})).expect("a model");
        let request = LlmRequest {
            model: "m".to_owned(),
            messages: vec![Message::text(Role::User, "Hi").expect("a message")],
            options,
        };
        let answer = LlmResponse {
            choices: vec![LlmChoice {
                content: Some("word ".repeat(20)),
                ..LlmChoice::default()
            }],
            usage: Some(usage),
            ..LlmResponse::default()
        };
        check(&request, &answer, &model, profile) == Some(usage)
    }

    #[test]
    fn usage_must_be_within_limit_bytes_and_input() {
        let hidden = PROFILES.iter().find(|it| it.hidden_reasoning);
        let hidden = hidden.expect("a provider that hides reasoning");
        for (usage, max_tokens, profile, expected) in [
            (Usage::new(9, 20), None, &DEFAULT, true),
            (Usage::new(9, 0), None, &DEFAULT, false),
            (Usage::new(0, 20), None, &DEFAULT, false),
            (Usage::new(9, 50_000), None, &DEFAULT, false),
            (Usage::new(9, 50_000), None, hidden, true),
            (Usage::new(9, 50_000), Some(1000), hidden, false),
            (Usage::new(9, 2000), Some(1000), hidden, true),
            (Usage::new(100_000, 20), None, &DEFAULT, true),
            (Usage::new(1_000_000, 20), None, &DEFAULT, false),
        ] {
            assert_eq!(
                is_plausible(usage, max_tokens, profile),
                expected,
                "{usage:?} {max_tokens:?} {}",
                profile.name
            );
        }
    }

    #[test]
    fn hidden_reasoning_has_no_bound_by_bytes() {
        let profile = |name| PROFILES.iter().find(|it| it.name == name);
        let usage = Usage::new(9, 50_000);
        for (name, member, value, expected) in [
            ("groq", "include_reasoning", "false", true),
            ("groq", "include_reasoning", "true", false),
            ("groq", "reasoning_format", "\"hidden\"", true),
            ("groq", "reasoning_format", "\"parsed\"", false),
            ("vllm", "include_reasoning", "false", true),
            ("cerebras", "reasoning_format", "\"hidden\"", true),
            (
                "ollama",
                "reasoning",
                r#"{"effort":"low","exclude": true}"#,
                true,
            ),
            ("ollama", "reasoning", r#"{"exclude":false}"#, false),
            ("ollama", "reasoning", r#"{"effort":"low"}"#, false),
            // The provider does not get the member.
            ("mistral", "include_reasoning", "false", false),
        ] {
            let value = clawless_core::json::Json::parse(value.to_owned()).expect("JSON");
            let options = ChatOptions {
                extensions: vec![(member.to_owned(), value)],
                ..ChatOptions::default()
            };
            let found = profile(name).expect("a profile");
            let is_plausible = is_plausible_with(usage, options, found);
            assert_eq!(is_plausible, expected, "{name} {member}");
        }
    }

    #[test]
    fn a_medium_may_have_many_tokens() {
        for part in [
            r#"{"type":"image_url","image_url":{"url":"https://x.example"}}"#,
            r#"{"type":"image_url","image_url":"https://x.example"}"#,
            r#"{"type":"document_url","document_url":"https://x.example"}"#,
            r#"{"type":"input_video","input_video":{"data":"AA=="}}"#,
            r#"{"type":"video","video":["https://x.example"]}"#,
            r#"{"type":"input_file","file_id":"f"}"#,
        ] {
            let raw = format!(r#"{{"role":"user","content":[{part}]}}"#);
            let raw = clawless_core::json::Json::parse(raw).expect("JSON");
            let request = LlmRequest {
                model: "m".to_owned(),
                messages: vec![Message::from_stored(Role::User, raw)],
                options: ChatOptions::default(),
            };
            assert!(is_possible_input(&request, 300_000), "{part}");
            assert!(!is_possible_input(&request, 3_000_000), "{part}");
        }
    }
}
