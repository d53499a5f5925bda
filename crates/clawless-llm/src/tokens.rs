//! Token estimates: for reservations, and for providers that report no usage.
//!
//! Everything that is sent to a provider counts: the JSON of the messages as it is, tools, schemas
//! and every other parameter that is not a plain number or word of the API. Only the frame of a
//! message and inline media count by rules of their own ([`crate::media`]).
//!
//! Each model has its own vocabulary, so an exact count is not possible. The estimate assumes four
//! ASCII characters per token, two characters of other alphabets, and one of scripts without
//! spaces. For English prose it is within 20 % of common vocabularies; for JSON it may be half of
//! the true count, for CJK it is somewhat high. Mark every use as an estimate; use
//! [`crate::vocabulary`] for context-window checks.

use clawless_core::chat::ChatOptions;
use clawless_core::llm::{LlmChoice, LlmRequest, LlmResponse};
use clawless_core::model::ModelPrice;
use clawless_core::routing::MAX_OVERESTIMATE;
use clawless_core::{Message, MicroDollars, Tokens, Usage};
use serde::Serialize;

use crate::cache_writes;
use crate::media::media;
use crate::plausible;
use crate::profile::{PROFILES, Profile};

/// Tokens per message, tool or call: its role and delimiters.
const PER_MESSAGE: u64 = 4;

/// Estimates are summed in quarter tokens and rounded once, at the end.
const QUARTERS: u64 = 4;

/// The tokens of a text.
pub fn of_text(text: &str) -> Tokens {
    round_up(quarters(text))
}

/// The tokens of a request: messages and parameters.
pub fn of_request(request: &LlmRequest) -> Tokens {
    of_messages(&request.messages, &request.options)
}

/// The tokens of messages and of the parameters that any provider may receive.
pub fn of_messages(messages: &[Message], options: &ChatOptions) -> Tokens {
    let may_be_sent = |name: &str, is_extension: bool| {
        let mut profiles = PROFILES.iter();
        !is_extension || profiles.any(|profile| profile.passes.contains(&name))
    };
    estimate(messages, options, may_be_sent)
}

/// The tokens of a request to a provider with this profile.
fn of_request_to(request: &LlmRequest, profile: &Profile) -> Tokens {
    estimate(&request.messages, &request.options, |name, is_extension| {
        if is_extension {
            profile.passes.contains(&name)
        } else {
            !profile.drops.contains(&name)
        }
    })
}

/// The tokens of messages and parameters. `is_sent` gets the name of a parameter, and whether it is
/// one that the surface does not define.
fn estimate(
    messages: &[Message],
    options: &ChatOptions,
    is_sent: impl Fn(&str, bool) -> bool,
) -> Tokens {
    let messages: u64 = messages
        .iter()
        .map(|it| message(it, QUARTERS, quarters))
        .sum();
    round_up(messages + parameters(options, is_sent))
}

/// Quarter tokens of the parameters. Lists every field, so that a new one must be decided on: plain
/// numbers and words of the API are bounded, and no model reads them.
fn parameters(options: &ChatOptions, is_sent: impl Fn(&str, bool) -> bool) -> u64 {
    let ChatOptions {
        temperature: _,
        top_p: _,
        n: _,
        max_tokens: _,
        max_completion_tokens: _,
        presence_penalty: _,
        frequency_penalty: _,
        seed: _,
        logprobs: _,
        top_logprobs: _,
        parallel_tool_calls: _,
        reasoning_effort: _,
        verbosity: _,
        stop,
        logit_bias,
        response_format,
        tools,
        tool_choice,
        functions,
        function_call,
        service_tier,
        modalities,
        audio,
        prediction,
        store: _,
        metadata,
        user,
        safety_identifier,
        prompt_cache_key,
        thinking: _,
        betas: _,
        extensions,
    } = options;
    let extensions = extensions.iter().filter(|(name, _)| is_sent(name, true));
    let extensions =
        extensions.map(|(name, json)| quarters(name) + quarters_of_json(json.as_str()));
    let others = [
        ("stop", size(stop.as_ref())),
        ("logit_bias", size(logit_bias.as_ref())),
        ("tools", size(tools.as_ref())),
        ("functions", size(functions.as_ref())),
        ("response_format", size(response_format.as_ref())),
        ("tool_choice", size(tool_choice.as_ref())),
        ("function_call", size(function_call.as_ref())),
        ("service_tier", size(service_tier.as_ref())),
        ("modalities", size(modalities.as_ref())),
        ("audio", size(audio.as_ref())),
        ("prediction", size(prediction.as_ref())),
        ("metadata", size(metadata.as_ref())),
        ("user", size(user.as_ref())),
        ("safety_identifier", size(safety_identifier.as_ref())),
        ("prompt_cache_key", size(prompt_cache_key.as_ref())),
    ];
    let others = others.into_iter().filter(|(name, _)| is_sent(name, false));
    let others: u64 = others.map(|(_, size)| size).sum();
    extensions.sum::<u64>() + others
}

/// Quarter tokens of a parameter's JSON; nothing if it is absent.
fn size<T: Serialize>(value: Option<&T>) -> u64 {
    let json = value.and_then(|value| serde_json::to_string(value).ok());
    json.map_or(0, |json| quarters_of_json(&json))
}

/// The tokens of a response or of its beginning.
pub fn of_answer(answer: &LlmResponse) -> Tokens {
    round_up(answer.choices.iter().map(choice).sum())
}

/// The usage of a call, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageEstimate {
    /// The usage.
    pub usage: Usage,
    /// The input that the provider may have written to its prompt cache, which costs more. Zero if the
    /// provider has reported the input.
    pub cache_writes: Tokens,
}

impl UsageEstimate {
    /// The cost at a price: not below that of the cache writes.
    pub fn cost(&self, price: &ModelPrice) -> MicroDollars {
        let mut written = self.usage;
        let details = written.prompt_tokens_details.get_or_insert_default();
        let tokens = details.cache_write_tokens.unwrap_or(0);
        details.cache_write_tokens = Some(tokens.max(self.cache_writes.get()));
        price.cost(&self.usage).max(price.cost(&written))
    }
}

/// The estimated usage of a call whose provider, with this profile, reports none, or only its input, as one
/// does at the beginning of a stream. An answer has at least `min_output` tokens.
pub fn estimate_usage(
    request: &LlmRequest,
    profile: &Profile,
    answer: &LlmResponse,
    min_output: Tokens,
) -> UsageEstimate {
    let output = of_answer(answer).max(min_output).get();
    let input = of_request_to(request, profile).get();
    let known = plausible::known_input(request, answer);
    // Some servers count the input only at the end, and send a smaller number before.
    let known = known.filter(|it| it.prompt_tokens.saturating_mul(MAX_OVERESTIMATE) >= input);
    let usage = Usage::new(known.map_or(input, |it| it.prompt_tokens), output);
    UsageEstimate {
        usage: Usage {
            prompt_tokens_details: known.and_then(|it| it.prompt_tokens_details),
            ..usage
        },
        cache_writes: match known {
            Some(_) => Tokens::ZERO,
            None => cache_writes::marked(request, profile)
                .map_or(Tokens::ZERO, |marked| of_messages(marked, &request.options)),
        },
    }
}

const fn round_up(quarters: u64) -> Tokens {
    Tokens::new(quarters.div_ceil(QUARTERS))
}

fn quarters(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    text.chars().map(weight).sum()
}

fn quarters_of_json(json: &str) -> u64 {
    of_json(json, quarters)
}

/// Quarter tokens of one character.
const fn weight(c: char) -> u64 {
    match c {
        '\0'..='\x7f' => 1,
        // Thai to Khmer, CJK, kana, Hangul, and everything beyond the basic plane.
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}'
        | '\u{10000}'.. => 4,
        _ => 2,
    }
}

/// The weight of a message in fractions of a token: `unit` of them are one token, and `weight` is that
/// of a text. The frame of a plain message counts as [`PER_MESSAGE`], a medium by its own rule, and
/// everything else by its JSON.
pub(crate) fn message(message: &Message, unit: u64, weight: impl Fn(&str) -> u64) -> u64 {
    let raw = message.raw().as_str();
    let frame = [
        r#"{"role":""#,
        message.role().as_str(),
        r#"","content":""}"#,
    ];
    let frame: u64 = frame.into_iter().map(&weight).sum();
    let (mut counted_otherwise, mut of_media) = (frame, 0);
    for medium in media(raw) {
        counted_otherwise += medium.data.map_or(0, |data| of_json(data, &weight));
        of_media += medium.tokens();
    }
    let json = of_json(raw, &weight).saturating_sub(counted_otherwise);
    json + (of_media + PER_MESSAGE) * unit
}

/// The weight of a JSON text, with escaped characters counted as what they stand for.
fn of_json(json: &str, weight: impl Fn(&str) -> u64) -> u64 {
    let mut sum = 0;
    let mut rest = json;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        sum += weight(plain);
        let (character, length) = unescape(escaped);
        sum += character.map_or(0, |it| weight(it.encode_utf8(&mut [0; 4])));
        rest = escaped.get(length..).unwrap_or_default();
    }
    sum + weight(rest)
}

/// The character after a backslash and the bytes of its escape. The second half of a surrogate pair
/// is no character of its own.
fn unescape(escaped: &str) -> (Option<char>, usize) {
    if let Some(digits) = escaped.strip_prefix('u').and_then(|rest| rest.get(..4)) {
        return match u32::from_str_radix(digits, 16) {
            Ok(0xd800..=0xdbff) => (Some('\u{10000}'), 5),
            Ok(code) => (char::from_u32(code), 5),
            Err(_) => (Some('u'), 1),
        };
    }
    match escaped.chars().next() {
        Some('b' | 'f' | 'n' | 'r' | 't') => (Some('\n'), 1),
        first => (first, first.map_or(0, char::len_utf8)),
    }
}

fn choice(choice: &LlmChoice) -> u64 {
    let texts = [&choice.content, &choice.reasoning, &choice.refusal];
    let texts: u64 = texts.into_iter().flatten().map(|text| quarters(text)).sum();
    let calls = choice.tool_calls.iter();
    let calls: u64 = calls
        .map(|call| quarters(&call.name) + quarters(&call.arguments) + PER_MESSAGE * QUARTERS)
        .sum();
    texts + calls
}

#[cfg(test)]
mod tests {
    use clawless_core::Role;
    use clawless_core::json::Json;

    use super::*;

    #[test]
    fn texts_are_estimated_by_their_script() {
        for (text, tokens) in [
            ("", 0),
            ("a", 1),
            ("The quick brown fox jumps over the lazy dog.", 11),
            ("\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}", 3),
            ("\u{6f22}\u{5b57}", 2),
            ("\u{1f600}", 1),
        ] {
            assert_eq!(of_text(text), Tokens::new(tokens), "{text}");
        }
    }

    #[test]
    fn an_inline_image_counts_as_image_tokens() {
        let url = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let raw = format!(
            r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}"#
        );
        let image = Message::from_stored(Role::User, Json::parse(raw).expect("JSON"));
        let tokens = of_messages(&[image], &ChatOptions::default()).get();
        assert!((804..830).contains(&tokens), "{tokens}");
    }

    #[test]
    fn a_plain_message_counts_its_text_and_its_frame() {
        for (json, tokens) in [
            (
                r#"{"role":"user","content":"The quick brown fox jumps over the lazy dog."}"#,
                15,
            ),
            (r#"{"role":"assistant","content":"Yes"}"#, 5),
            (
                r#"{"role":"user","content":"\u6f22\u5b57 \ud83d\ude00\n\"a\""}"#,
                9,
            ),
        ] {
            let message = Message::parse(Json::parse(json.to_owned()).expect("JSON"));
            let message = message.expect("a message");
            let counted = of_messages(&[message], &ChatOptions::default());
            assert_eq!(counted, Tokens::new(tokens), "{json}");
        }
    }
}
