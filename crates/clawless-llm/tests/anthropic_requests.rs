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
    let parsed = chat::parse(&body).unwrap_or_else(|error| panic!("{error:?}"));
    let request = parsed.request;
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
    // The bytes say what it is.
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let sent = messages(&json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": format!("data:image/jpg;base64,{png}")}}]}]));
    assert_eq!(sent[0]["content"][0]["source"]["media_type"], "image/png");
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

#[test]
fn cache_marks_are_kept_wherever_clients_place_them() {
    let mark = json!({"type": "ephemeral"});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let marked_call = |id: &str| {
        let mut call = call(id);
        call["cache_control"] = mark.clone();
        call
    };
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let conversation = |assistant: Value, result: Value| json!([{"role": "user", "content": "hi"}, assistant, result]);
    let plain_result = json!({"role": "tool", "tool_call_id": "a", "content": "1"});
    let cases = [
        (
            "a tool",
            json!({"tools": [
            {"type": "function", "function": {"name": "f"}, "cache_control": mark}, tool("g")]}),
            "/tools/0",
        ),
        (
            "a function",
            json!({"tools": [tool("f"),
            {"type": "function", "function": {"name": "g", "cache_control": mark}}]}),
            "/tools/1",
        ),
        (
            "a system part",
            json!({"messages": [
            {"role": "system", "content": [{"type": "text", "text": "Rules", "cache_control": mark}]},
            {"role": "user", "content": "hi"}]}),
            "/system/0",
        ),
        (
            "a developer message",
            json!({"messages": [
            {"role": "developer", "content": "Rules", "cache_control": mark},
            {"role": "user", "content": "hi"}]}),
            "/system/0",
        ),
        (
            "an image",
            json!({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}, "cache_control": mark},
            {"type": "text", "text": "what?"}]}]}),
            "/messages/0/content/0",
        ),
        (
            "an assistant message of calls alone",
            json!({"messages": conversation(
            json!({"role": "assistant", "content": null, "tool_calls": [call("a")], "cache_control": mark}),
            plain_result.clone())}),
            "/messages/1/content/0",
        ),
        (
            "a call",
            json!({"messages": conversation(
            json!({"role": "assistant", "content": "x", "tool_calls": [marked_call("a")]}),
            plain_result)}),
            "/messages/1/content/1",
        ),
        (
            "a part of a tool result",
            json!({"messages": conversation(
            json!({"role": "assistant", "content": null, "tool_calls": [call("a")]}),
            json!({"role": "tool", "tool_call_id": "a",
                "content": [{"type": "text", "text": "1", "cache_control": mark}]}))}),
            "/messages/2/content/0",
        ),
        (
            "the request",
            json!({"cache_control": mark}),
            "/messages/0/content/0",
        ),
    ];
    for (what, members, place) in cases {
        let mut body =
            json!({"model": "claude-x", "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in members.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let sent = encode(&body).expect("encodes");
        let block = sent
            .pointer(place)
            .unwrap_or_else(|| panic!("{what}: {sent}"));
        assert_eq!(block["cache_control"], mark, "{what}: {sent}");
        assert_eq!(
            sent.to_string().matches("cache_control").count(),
            1,
            "{what}: {sent}"
        );
        assert!(protocol().dropped(&request(&body)).is_empty(), "{what}");
    }
}

#[test]
fn a_session_that_collects_cache_marks_sends_the_newest_four() {
    let marked = |role: &str, text: &str| {
        json!({"role": role, "content":
        [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]})
    };
    let mut messages = vec![marked("system", "Rules")];
    for turn in 0..5 {
        messages.push(marked("user", &format!("question {turn}")));
        messages.push(json!({"role": "assistant", "content": "answer"}));
    }
    messages.push(marked("user", "last"));
    let body = json!({"model": "claude-x", "messages": messages, "tools": [{"type": "function",
        "function": {"name": "f"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]});
    let sent = encode(&body).expect("encodes");
    assert_eq!(sent.to_string().matches("cache_control").count(), 4);
    for place in [
        "/system/0",
        "/tools/0",
        "/messages/10/content/0",
        "/messages/8/content/0",
    ] {
        let block = sent.pointer(place).expect("a block");
        assert_eq!(
            block["cache_control"],
            json!({"type": "ephemeral"}),
            "{place}: {sent}"
        );
    }
    assert_eq!(
        protocol().dropped(&request(&body)),
        [
            "messages[].content[].cache_control.ttl",
            "tools[].cache_control.ttl"
        ]
    );
}

#[test]
fn tool_choices_of_other_apis_are_understood() {
    for (choice, expected) in [
        (json!("any"), json!({"type": "any"})),
        (json!({"type": "any"}), json!({"type": "any"})),
        (json!({"type": "auto"}), json!({"type": "auto"})),
        (
            json!({"type": "tool", "name": "f"}),
            json!({"type": "tool", "name": "f"}),
        ),
        (
            json!({"type": "function", "name": "f"}),
            json!({"type": "tool", "name": "f"}),
        ),
    ] {
        let body = json!({"model": "claude-x", "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": choice});
        assert_eq!(
            encode(&body).expect("encodes")["tool_choice"],
            expected,
            "{choice}"
        );
    }
}

#[test]
fn an_answer_to_continue_goes_to_models_that_take_one() {
    let body = |model: &str, last: &str| {
        json!({"model": model, "messages": [
            {"role": "user", "content": "a"}, {"role": last, "content": "{"}]})
    };
    assert!(encode(&body("claude-opus-4-5", "assistant")).is_ok());
    assert!(encode(&body("claude-opus-4-6", "user")).is_ok());
    let Err(LlmError::Unsupported { param, message }) =
        encode(&body("claude-opus-4-6", "assistant"))
    else {
        panic!("not refused");
    };
    assert_eq!(param, "messages");
    assert!(message.contains("to continue"), "{message}");
    // It is continued without thinking, which begins an answer.
    let mut begun = body("claude-sonnet-4-5", "assistant");
    begun["reasoning_effort"] = json!("high");
    begun["max_tokens"] = json!(64_000);
    let model = r#"{"id":"claude-sonnet-4-5","thinking":"budget"}"#;
    let models = [serde_json::from_str(model).expect("a model")];
    let protocol = Anthropic::new("https://a.example/v1", None, &models);
    let sent = |body: &Value| {
        let sent = protocol
            .encode(&request(body), Mode::Whole)
            .expect("encodes");
        serde_json::from_slice::<Value>(&sent.body).expect("JSON")
    };
    assert_eq!(sent(&begun)["thinking"], Value::Null);
    begun["messages"].as_array_mut().expect("messages").pop();
    assert_eq!(sent(&begun)["thinking"]["type"], "enabled");
}

#[test]
fn schemas_of_tools_are_adapted_or_named() {
    let body = |parameters: Value| {
        json!({"model": "claude-x", "messages": [{"role": "user", "content": "a"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]})
    };
    let either =
        json!({"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]});
    let sent = encode(&body(either)).expect("encodes");
    let schema = &sent["tools"][0]["input_schema"];
    assert_eq!(schema["properties"], json!({"a": {}, "b": {}}));
    assert_eq!(schema.get("anyOf"), None);
    for (parameters, expected) in [
        (
            json!({"oneOf": [{"type": "string"}]}),
            "tools[0].function.parameters",
        ),
        (
            json!({"type": "object", "properties": {"filter[id]": {}}}),
            "tools[0].function.parameters.properties",
        ),
    ] {
        let Err(LlmError::Unsupported { param, .. }) = encode(&body(parameters)) else {
            panic!("not refused");
        };
        assert_eq!(param, expected);
    }
}
