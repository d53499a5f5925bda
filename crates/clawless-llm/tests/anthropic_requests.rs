//! Requests that are valid for `OpenAI` and that Anthropic's API rejects as they are: each is
//! translated, or rejected with the name of the parameter.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use clawless_api::chat;
use clawless_core::json::Json;
use clawless_core::llm::LlmRequest;
use clawless_llm::LlmError;
use clawless_llm::anthropic::Anthropic;
use clawless_llm::protocol::{Mode, Protocol};
use serde_json::{Value, json};

fn request(body: &Value) -> LlmRequest {
    let body = serde_json::to_vec(body).expect("JSON");
    let request = chat::parse(&body).unwrap_or_else(|error| panic!("{error:?}"));
    LlmRequest {
        model: request.model,
        messages: request.messages,
        options: request.options,
    }
}

fn protocol() -> Anthropic {
    Anthropic::new("https://a.example/v1", None, &[])
}

fn encode(body: &Value) -> Result<Value, LlmError> {
    let sent = protocol().encode(&request(body), Mode::Whole)?;
    Ok(serde_json::from_slice(&sent.body).expect("JSON"))
}

/// The encoded form of these messages.
fn messages(messages: &Value) -> Value {
    encode(&json!({"model": "claude-x", "messages": messages})).expect("encodes")["messages"].take()
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": [{"type": "text", "text": text}]})
}

#[test]
fn image_types_are_normalized() {
    let sent = messages(&json!([{"role": "user", "content": [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": "data:image/JPG;charset=utf-8;base64,/9j/\r\nAA=="}}]}]));
    assert_eq!(
        sent[0]["content"][1],
        json!({"type": "image", "source":
            {"type": "base64", "media_type": "image/jpeg", "data": "/9j/AA=="}})
    );
    let svg = json!({"model": "claude-x", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}}]}]});
    let Err(LlmError::Unsupported { param, .. }) = encode(&svg) else {
        panic!("an SVG is not refused");
    };
    assert_eq!(param, "messages[0].content");
}

#[test]
fn blank_texts_are_removed() {
    let sent = messages(&json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "\n\n", "tool_calls": [
            {"id": "x1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "x1", "content": " "},
        {"role": "user", "content": [{"type": "text", "text": "  "}, {"type": "text", "text": "b"}]}]));
    assert_eq!(
        sent,
        json!([
            user("a"),
            {"role": "assistant", "content":
                [{"type": "tool_use", "id": "x1", "name": "get_weather", "input": {}}]},
            {"role": "user", "content":
                [{"type": "tool_result", "tool_use_id": "x1"}, {"type": "text", "text": "b"}]}])
    );
}

#[test]
fn repeated_call_ids_are_made_unique_with_their_results() {
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "call_0", "content": "1"});
    let sent = messages(&json!([{"role": "user", "content": "a"}, call, result, call, result]));
    let id = |message: usize, member: &str| sent[message]["content"][0][member].clone();
    assert_eq!(id(1, "id"), json!("call_0"));
    assert_eq!(id(2, "tool_use_id"), json!("call_0"));
    assert_ne!(id(3, "id"), json!("call_0"));
    assert_eq!(id(4, "tool_use_id"), id(3, "id"));
}

#[test]
fn a_schema_without_a_type_becomes_an_object_schema() {
    let tool = |parameters: Value| json!({"type": "function", "function": {"name": "f", "parameters": parameters}});
    for (parameters, schema) in [
        (json!({}), json!({"type": "object"})),
        (
            json!({"properties": {"a": {}}}),
            json!({"type": "object", "properties": {"a": {}}}),
        ),
        (json!({"type": "object"}), json!({"type": "object"})),
    ] {
        let body = json!({"model": "claude-x", "messages": [{"role": "user", "content": "a"}],
            "tools": [tool(parameters)]});
        let sent = encode(&body).expect("encodes");
        assert_eq!(sent["tools"][0]["input_schema"], schema);
    }
}

#[test]
fn conversations_start_with_a_user_message_and_prefills_are_trimmed() {
    let sent = messages(&json!([
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "The answer is \n"}]));
    assert_eq!(sent[0]["role"], json!("user"));
    assert_eq!(sent[1]["content"][0]["text"], json!("Hello!"));
    assert_eq!(sent[3]["content"][0]["text"], json!("The answer is"));
}

#[test]
fn client_cache_marks_replace_automatic_ones() {
    let long = "word ".repeat(10_000);
    let mark = json!({"type": "ephemeral"});
    let body = json!({"model": "claude-x", "messages": [
        {"role": "system", "content": [
            {"type": "text", "text": "Rules", "cache_control": mark}, {"type": "text", "text": long}]},
        {"role": "user", "content": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "hi"}]});
    let sent = encode(&body).expect("encodes");
    assert_eq!(
        sent["system"][0],
        json!({"type": "text", "text": "Rules", "cache_control": mark})
    );
    assert_eq!(sent["system"][1].get("cache_control"), None);
    assert_eq!(sent["messages"][0]["content"][0]["cache_control"], mark);
    assert_eq!(sent["messages"][2]["content"][0].get("cache_control"), None);
    let dropped = protocol().dropped(&request(&body));
    assert_eq!(dropped, ["messages[].content[].cache_control.ttl"]);
}

#[test]
fn unknown_parameters_are_reported_and_top_k_is_sent() {
    let mut asked =
        request(&json!({"model": "claude-x", "messages": [{"role": "user", "content": "a"}]}));
    let json = |text: &str| Json::parse(text.to_owned()).expect("JSON");
    asked.options.extensions = vec![
        ("top_k".to_owned(), json("40")),
        ("min_p".to_owned(), json("0.1")),
    ];
    let sent = protocol()
        .encode(&asked, Mode::Whole)
        .expect("encodes")
        .body;
    let sent: Value = serde_json::from_slice(&sent).expect("JSON");
    assert_eq!((&sent["top_k"], sent.get("min_p")), (&json!(40), None));
    assert_eq!(protocol().dropped(&asked), ["min_p"]);
}
