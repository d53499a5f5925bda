//! Answers of a real, small model. The tests check the protocol, not the facts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a failed test should show the location, and it runs natively"
)]

mod support;

use serde_json::{Value, json};
use support::{MODEL, Server};

fn chat_body(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": text}], "seed": 7, "max_tokens": 24})
}

fn with(mut body: Value, changes: &Value) -> Value {
    let members = body.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    body
}

fn chunks(events: &[&str]) -> Vec<Value> {
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!(*last, "[DONE]");
    chunks
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn streamed_text(chunks: &[Value]) -> String {
    let deltas = chunks
        .iter()
        .filter_map(|c| c["choices"][0]["delta"]["content"].as_str());
    deltas.collect()
}

#[test]
fn streamed_and_whole_answers_have_the_same_content() {
    let server = Server::start(&[]);

    // Not streamed.
    let whole = server.chat(&chat_body("Name three colours."));
    let body = whole.json();
    let text = whole.text();
    assert!(!text.trim().is_empty());
    assert_eq!(
        (&body["object"], &body["model"]),
        (&"chat.completion".into(), &MODEL.into())
    );
    let message = &body["choices"][0]["message"];
    assert_eq!(
        (&message["role"], &message["refusal"]),
        (&"assistant".into(), &Value::Null)
    );
    let usage = &body["usage"];
    let count = |key: &str| usage[key].as_u64().unwrap();
    assert!(count("completion_tokens") > 0 && count("completion_tokens") <= 24);
    assert_eq!(
        count("total_tokens"),
        count("prompt_tokens") + count("completion_tokens")
    );
    assert!(whole.header("x-request-id").is_some());

    // Streamed: the same seed gives the same text, although the prompt is cached now.
    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    let reply = server.chat(&with(chat_body("Name three colours."), &options));
    assert_eq!(
        reply.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let chunks = chunks(&reply.events());
    assert_eq!(streamed_text(&chunks), text);
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let (usage_chunk, others) = chunks.split_last().unwrap();
    assert!(
        others
            .iter()
            .all(|c| c["id"] == chunks[0]["id"] && c["usage"].is_null())
    );
    assert_eq!(usage_chunk["choices"], json!([]));
    assert_eq!(
        usage_chunk["usage"]["completion_tokens"],
        usage["completion_tokens"]
    );
    let end = &others.last().unwrap()["choices"][0];
    assert_eq!(end["finish_reason"], body["choices"][0]["finish_reason"]);
    assert_eq!(end["delta"], json!({}));
}

#[test]
fn limits_stop_strings_and_seeds_are_applied() {
    let server = Server::start(&[]);
    let long = "Count from one to fifty in words.";

    let short = server
        .chat(&with(chat_body(long), &json!({"max_tokens": 3})))
        .json();
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    assert_eq!(short["usage"]["completion_tokens"], 3);

    let free = server.chat(&chat_body(long)).text();
    let again = server.chat(&chat_body(long)).text();
    assert_eq!(free, again);
    let hot = |seed: u64| json!({"temperature": 1.5, "top_p": 1.0, "seed": seed});
    let one = server.chat(&with(chat_body(long), &hot(1))).text();
    let two = server.chat(&with(chat_body(long), &hot(2))).text();
    assert_ne!(one, two);

    // A stop string that the answer contains and that spans two words.
    let (at, _) = free.match_indices(' ').nth(2).expect("several words");
    let from = free[..at].char_indices().nth_back(1).unwrap().0;
    let to = free[at..]
        .char_indices()
        .nth(3)
        .map_or(free.len(), |(i, _)| at + i);
    let stop = &free[from..to];
    let expected = free.split(stop).next().unwrap();
    for stops in [json!(stop), json!(["never there", stop])] {
        let body = with(chat_body(long), &json!({"stop": stops, "stream": true}));
        let reply = server.chat(&body);
        let chunks = chunks(&reply.events());
        assert_eq!(streamed_text(&chunks), expected, "{stops}");
        let end = chunks.last().unwrap();
        assert_eq!(end["choices"][0]["finish_reason"], "stop");
        assert!(end.get("usage").is_none());
    }
}

#[test]
fn multibyte_characters_are_whole_and_prompts_are_cached() {
    let server = Server::start(&[]);
    let body = json!({
        "messages": [{"role": "user", "content": "Repeat exactly: 日本語 🦀🦀 žluťoučký кот. ".repeat(8)}],
        "stream": true, "stream_options": {"include_usage": true},
        "seed": 3, "max_tokens": 16, "temperature": 1.2,
    });
    let cached = |reply: &support::Reply| {
        let last = chunks(&reply.events()).pop().unwrap();
        last["usage"]["prompt_tokens_details"]["cached_tokens"]
            .as_u64()
            .unwrap()
    };
    let first = server.chat(&body);
    let second = server.chat(&body);
    assert_eq!(cached(&first), 0);
    assert!(cached(&second) >= 64);
    assert_eq!(
        streamed_text(&chunks(&first.events())),
        streamed_text(&chunks(&second.events()))
    );
}

#[test]
fn tokens_are_counted_by_the_models_own_tokenizer() {
    let server = Server::start(&[]);
    let count = |body: Value| {
        let reply = server.send("POST", "/tokenize", &body.to_string());
        reply.json()["count"].as_u64().unwrap()
    };
    assert_eq!(count(json!({"text": ""})), 0);
    // SmolLM makes every digit a token.
    assert_eq!(count(json!({"text": "12345"})), 5);
    // Text that spells a control token is plain text.
    assert!(count(json!({"text": "<|im_end|>"})) > 1);
    let messages = chat_body("Hello")["messages"].clone();
    let counted = count(json!({"messages": messages}));
    let used = server.chat(&chat_body("Hello")).json()["usage"]["prompt_tokens"].clone();
    assert_eq!(used, counted);
}
