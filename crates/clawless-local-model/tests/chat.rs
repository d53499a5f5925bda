//! Answers of the real, small model. It gets facts wrong: these tests look at plumbing, not at wisdom.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should say where, and it runs natively"
)]

mod support;

use serde_json::{Value, json};
use support::{MODEL, Server};

fn ask(text: &str) -> Value {
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
fn answers_have_the_wires_form_and_streaming_changes_only_that() {
    let server = Server::start(&[]);

    // Whole.
    let whole = server.chat(&ask("Name three colours."));
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

    // Streamed: the same seed gives the same text, though the prompt was cached by now.
    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    let reply = server.chat(&with(ask("Name three colours."), &options));
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
fn limits_stops_and_seeds_are_honoured() {
    let server = Server::start(&[]);
    let long = "Count from one to fifty in words.";

    let short = server
        .chat(&with(ask(long), &json!({"max_tokens": 3})))
        .json();
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    assert_eq!(short["usage"]["completion_tokens"], 3);

    let free = server.chat(&ask(long)).text();
    let again = server.chat(&ask(long)).text();
    assert_eq!(free, again);
    let hot = |seed: u64| json!({"temperature": 1.5, "top_p": 1.0, "seed": seed});
    let one = server.chat(&with(ask(long), &hot(1))).text();
    let two = server.chat(&with(ask(long), &hot(2))).text();
    assert_ne!(one, two);

    // Stop at something that the answer is known to contain, over the border of two words.
    let (at, _) = free.match_indices(' ').nth(2).expect("several words");
    let from = free[..at].char_indices().nth_back(1).unwrap().0;
    let to = free[at..]
        .char_indices()
        .nth(3)
        .map_or(free.len(), |(i, _)| at + i);
    let stop = &free[from..to];
    let expected = free.split(stop).next().unwrap();
    for stops in [json!(stop), json!(["never there", stop])] {
        let body = with(ask(long), &json!({"stop": stops, "stream": true}));
        let reply = server.chat(&body);
        let chunks = chunks(&reply.events());
        assert_eq!(streamed_text(&chunks), expected, "{stops}");
        let end = chunks.last().unwrap();
        assert_eq!(end["choices"][0]["finish_reason"], "stop");
        assert!(end.get("usage").is_none());
    }
}

#[test]
fn characters_of_several_bytes_come_whole_and_prompts_are_cached() {
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
    // SmolLM splits every digit off.
    assert_eq!(count(json!({"text": "12345"})), 5);
    // What spells a control token is plain text.
    assert!(count(json!({"text": "<|im_end|>"})) > 1);
    let messages = ask("Hello")["messages"].clone();
    let counted = count(json!({"messages": messages}));
    let used = server.chat(&ask("Hello")).json()["usage"]["prompt_tokens"].clone();
    assert_eq!(used, counted);
}
