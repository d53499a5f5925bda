//! Everything that is sent to a provider counts in the reservation: one case per member of a request,
//! and a property over random ones.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use clawless_api::chat;
use clawless_core::chat::PromptDetails;
use clawless_core::llm::{LlmChoice, LlmRequest, LlmResponse, ProviderKind};
use clawless_core::{Tokens, Usage};
use clawless_llm::profile::Profile;
use clawless_llm::tokens;
use proptest::prelude::*;
use serde_json::{Value, json};

fn parse(body: &Value) -> Option<LlmRequest> {
    let request = chat::parse(&serde_json::to_vec(body).expect("JSON"))
        .ok()?
        .request;
    Some(LlmRequest {
        model: request.model,
        messages: request.messages,
        options: request.options,
    })
}

fn tokens_of(body: &Value) -> u64 {
    let request = parse(body).unwrap_or_else(|| panic!("invalid: {body}"));
    tokens::of_request(&request).get()
}

/// A request with every member that can be long: at the top, in messages, in parts, in calls.
fn long_request() -> Value {
    json!({
        "model": "m",
        "stop": ["s"],
        "logit_bias": {"1": 5},
        "user": "u",
        "safety_identifier": "u",
        "prompt_cache_key": "k",
        "service_tier": "auto",
        "metadata": {"a": "b"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"title": "t"}}},
        "prediction": {"type": "content", "content": [{"type": "text", "text": "p"}]},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"title": "t"}}},
            {"type": "custom", "custom": {"name": "c", "format": {"type": "text", "x": "y"}}},
        ],
        "chat_template_kwargs": {"a": ["b", {"c": "d"}]},
        "guided_json": {"title": "t"},
        "messages": [
            {"role": "system", "content": "s", "name": "n"},
            {"role": "user", "name": "n", "x": {"y": ["z"]}, "content": [
                {"type": "text", "text": "t", "x": "y"},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "x": "y"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav", "x": "y"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_data": "data:text/plain;base64,AAAA"}},
                {"type": "file", "file": {"file_id": "f"}},
                {"type": "refusal", "refusal": "r"},
                {"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}},
                {"type": "document_url", "document_url": "https://x.example/a.pdf"},
                {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
            ]},
            {"role": "assistant", "content": null, "refusal": "r", "reasoning_content": "r",
                "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}],
                "audio": {"id": "a"}, "extra_content": {"a": "b"},
                "tool_calls": [
                    {"id": "c1", "type": "function", "extra_content": {"a": "b"},
                        "function": {"name": "f", "arguments": "{}", "x": "y"}},
                    {"id": "c2", "type": "custom", "custom": {"name": "c", "input": "i"}},
                ]},
            {"role": "tool", "tool_call_id": "c1", "content": "r", "name": "n"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "t"}]},
            {"role": "assistant", "content": "a", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "c"},
        ],
    })
}

/// The paths of all texts in a value, as JSON pointers.
fn texts(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(path.to_owned()),
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                texts(item, &format!("{path}/{position}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                texts(member, &format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// The paths of all objects that are sent.
fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                objects(item, &format!("{path}/{position}"), found);
            }
        }
        Value::Object(members) => {
            found.push(path.to_owned());
            for (name, member) in members {
                objects(member, &format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn all_texts() -> Vec<String> {
    let mut found = Vec::new();
    texts(&long_request(), "", &mut found);
    // The model's name is the gateway's own.
    found.retain(|path| path != "/model");
    found
}

/// The bytes that a token has at most at this path: inline media count by rules of their own.
fn bytes_per_token(path: &str) -> Option<u64> {
    match path {
        // An inline image counts the same whatever its size.
        "/messages/1/content/2/image_url/url" => None,
        "/messages/1/content/3/input_audio/data" => Some(128),
        "/messages/1/content/4/file/file_data" => Some(16),
        "/messages/1/content/5/file/file_data" => Some(5),
        _ => Some(4),
    }
}

#[test]
fn every_text_of_a_request_counts() {
    let before = tokens_of(&long_request());
    let (mut counted, mut refused) = (0, Vec::new());
    for path in all_texts() {
        let Some(bytes_per_token) = bytes_per_token(&path) else {
            continue;
        };
        // Some members are short; the others take 200,000 bytes.
        let grown = [200_000_u64, 400, 50].into_iter().find_map(|bytes| {
            let mut body = long_request();
            let text = body.pointer_mut(&path).expect("a text");
            let old = text.as_str().expect("a text").to_owned();
            *text = json!(old + &"x".repeat(usize::try_from(bytes).expect("small")));
            parse(&body).map(|_| (bytes, tokens_of(&body)))
        });
        let Some((bytes, after)) = grown else {
            refused.push(path);
            continue;
        };
        counted += 1;
        // A short audio or file counts as one of typical size.
        let more = after.saturating_sub(before) + if bytes_per_token > 4 { 800 } else { 0 };
        assert!(
            more + 1 >= bytes / bytes_per_token,
            "{bytes} bytes in {path} count {more} tokens"
        );
    }
    assert!(counted > 60, "{counted} members were tried");
    // Words of the API, which have no other values.
    for path in &refused {
        assert!(
            path.ends_with("/role") || path.ends_with("/type"),
            "{path} takes no text"
        );
    }
}

#[test]
fn every_unknown_member_that_is_sent_counts() {
    let before = tokens_of(&long_request());
    let mut paths = Vec::new();
    objects(&long_request(), "", &mut paths);
    for path in paths {
        // Unknown members at these places are not sent to any provider.
        let is_dropped = path.is_empty()
            || path == "/tools/0"
            || path == "/tools/0/function"
            || path == "/tools/1"
            || path == "/logit_bias"
            || path == "/metadata";
        if is_dropped {
            continue;
        }
        for value in [
            json!("x".repeat(100_000)),
            json!({"a": ["x".repeat(100_000)]}),
            json!(vec![12_345; 17_000]),
            json!({"x".repeat(100_000): true}),
        ] {
            let mut body = long_request();
            body.pointer_mut(&path).expect("an object")["x_unknown"] = value;
            let more = tokens_of(&body) - before;
            assert!(more >= 24_000, "a member of {path} counts {more} tokens");
        }
    }
}

#[test]
fn a_short_request_counts_few_tokens() {
    let request = json!({"model": "m", "temperature": 0.5, "max_tokens": 100, "n": 2,
        "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(tokens_of(&request), 5);
    // A parameter that no provider receives counts nothing.
    let mut unknown = request.clone();
    unknown["x_unknown"] = json!("x".repeat(1000));
    assert_eq!(tokens_of(&unknown), 5);
}

/// The estimated usage and cost of an answer that has begun.
fn estimate(body: &Value, kind: ProviderKind, known: Option<Usage>) -> (Usage, u64) {
    let request = parse(body).expect("a request");
    let choice = LlmChoice {
        content: Some("word".repeat(10)),
        ..LlmChoice::default()
    };
    let answer = LlmResponse {
        choices: vec![choice],
        usage: known,
        ..LlmResponse::default()
    };
    let profile = Profile::default_of(kind);
    let estimate = tokens::estimate_usage(&request, profile, &answer, Tokens::ZERO);
    let price = json!({"input": 4_000_000, "output": 20_000_000, "cached_input": 400_000,
        "cache_write": 5_000_000});
    let price = serde_json::from_value(price).expect("a price");
    (estimate.usage, estimate.cost(&price).get())
}

#[test]
fn the_known_input_of_an_interrupted_answer_is_charged_as_it_is_known() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "a".repeat(8000)}]});
    let estimated = tokens_of(&body);
    let known = |tokens, read, written| {
        let mut usage = Usage::new(tokens, 0);
        usage.prompt_tokens_details = Some(PromptDetails {
            cached_tokens: Some(read),
            cache_write_tokens: Some(written),
            ..PromptDetails::default()
        });
        Some(usage)
    };
    let of = |known| estimate(&body, ProviderKind::Anthropic, known);
    let (usage, cost) = of(known(2500, 500, 1000));
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (2500, 10));
    assert_eq!(cost, 1000 * 4 + 500 * 4 / 10 + 1000 * 5 + 10 * 20);
    // Some servers send a small number at first.
    for unlikely in [None, known(1, 0, 0), known(10_000_000, 0, 0)] {
        let (usage, cost) = of(unlikely);
        assert_eq!(usage, Usage::new(estimated, 10), "{unlikely:?}");
        assert_eq!(cost, estimated * 4 + 10 * 20, "{unlikely:?}");
    }
}

#[test]
fn an_estimate_is_not_below_the_price_of_cache_writes() {
    let text = |length: usize| json!({"type": "text", "text": "a".repeat(length)});
    let mark = |mut part: Value| {
        part["cache_control"] = json!({"type": "ephemeral"});
        part
    };
    let turn = |part: Value| json!({"role": "user", "content": [part]});
    let answer = json!({"role": "assistant", "content": "ok"});
    let body = |messages: &[Value]| json!({"model": "m", "messages": messages});
    let cost = |body: &Value, kind| estimate(body, kind, None).1;
    let written = |body: &Value| {
        let all = tokens_of(body);
        cost(body, ProviderKind::Anthropic) - (all * 4 + 10 * 20)
    };
    let plain = body(&[turn(text(4000)), answer.clone(), turn(text(4000))]);
    assert_eq!(written(&plain), 0, "too short for marks of our own");
    let first = body(&[turn(mark(text(4000))), answer.clone(), turn(text(4000))]);
    assert!(
        (1000..1100).contains(&written(&first)),
        "the first part costs a quarter more"
    );
    let last = body(&[turn(text(4000)), answer.clone(), turn(mark(text(4000)))]);
    assert_eq!(written(&last), tokens_of(&last));
    let long = body(&[turn(text(40_000)), answer, turn(text(4000))]);
    assert_eq!(
        written(&long),
        tokens_of(&long),
        "long prefixes get marks of our own"
    );
    assert_eq!(
        cost(&long, ProviderKind::WorkersAi),
        tokens_of(&long) * 4 + 10 * 20,
        "no marks are sent"
    );
}

proptest! {
    /// However a request grows, its reservation grows with it.
    #[test]
    fn more_bytes_count_more_tokens(
        position in any::<prop::sample::Index>(),
        text in prop_oneof!["[ -~]{1,2000}", "\\PC{1,500}", "[\u{1}-\u{1f}\"\\\\]{1,500}"],
    ) {
        let paths = all_texts();
        let path = position.get(&paths);
        let mut body = long_request();
        let before = tokens_of(&body);
        let grown = body.pointer_mut(path).expect("a text");
        *grown = json!(grown.as_str().expect("a text").to_owned() + &text);
        if parse(&body).is_none() {
            return Ok(());
        }
        // A token has at most 4 ASCII characters, and no character more than 6 bytes of JSON.
        let Some(bytes_per_token) = bytes_per_token(path) else { return Ok(()) };
        let characters = text.chars().count() as u64;
        let more = (tokens_of(&body) - before) + if bytes_per_token > 4 { 800 } else { 0 };
        prop_assert!(more + 1 >= characters / bytes_per_token.max(4), "{path}: {more}");
    }
}
