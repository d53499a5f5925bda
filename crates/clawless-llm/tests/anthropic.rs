//! Anthropic's wire: request encoding and whole responses.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use clawless_api::chat;
use clawless_core::json::Json;
use clawless_core::llm::{ContentBlocks, Delta, LlmEvent, LlmRequest, LlmResponse};
use clawless_core::model::{Model, ThinkingStyle};
use clawless_core::{FinishReason, Message, Role};
use clawless_llm::LlmError;
use clawless_llm::accumulate::{Accumulator, replay};
use clawless_llm::anthropic::Anthropic;
use clawless_llm::protocol::{Mode, Protocol};
use serde_json::{Value, json};

fn server(thinking: ThinkingStyle) -> Anthropic {
    let model = json!({"id": "m", "max_output": 64_000, "thinking": thinking});
    let model: Model = serde_json::from_value(model).expect("a model");
    Anthropic::new("https://anthropic.example/v1/", Some("secret"), &[model])
}

fn request(mut body: Value) -> LlmRequest {
    body["model"] = json!("m");
    let body = serde_json::to_vec(&body).expect("JSON");
    let request = chat::parse(&body).expect("valid").request;
    LlmRequest {
        model: "m".to_owned(),
        messages: request.messages,
        options: request.options,
    }
}

fn any() -> LlmRequest {
    request(json!({"messages": [{"role": "user", "content": "Hi"}]}))
}

fn encode(thinking: ThinkingStyle, body: Value) -> Result<Value, LlmError> {
    let encoded = server(thinking).encode(&request(body), Mode::Stream)?;
    Ok(serde_json::from_slice(&encoded.body).expect("JSON"))
}

fn encoded(body: Value) -> Value {
    encode(ThinkingStyle::Unknown, body).expect("encodes")
}

#[test]
fn a_plain_chat_is_sent_with_key_and_version() {
    let body = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "Hi"},
    ], "temperature": 1.5, "stop": ["END"], "user": "u1", "max_tokens": 99});
    let sent = server(ThinkingStyle::Unknown)
        .encode(&request(body), Mode::Stream)
        .expect("encodes");
    assert_eq!(sent.url, "https://anthropic.example/v1/messages");
    assert_eq!(sent.header("x-api-key"), Some("secret"));
    assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
    let sent: Value = serde_json::from_slice(&sent.body).expect("JSON");
    assert_eq!(
        sent,
        json!({
            "model": "m", "max_tokens": 99, "stream": true,
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            "temperature": 1.0, "stop_sequences": ["END"], "metadata": {"user_id": "u1"},
        })
    );
}

#[test]
fn parallel_calls_and_their_results_stay_together() {
    let sent = encoded(json!({"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call:1", "type": "function", "function": {"name": "w", "arguments": "{\"b\":1.0,\"a\":2}"}},
            {"id": "call_2", "type": "function", "function": {"name": "w", "arguments": ""}},
            {"id": "call_3", "type": "function", "function": {"name": "w", "arguments": "oops"}},
        ]},
        {"role": "tool", "tool_call_id": "call:1", "content": "sun"},
        {"role": "tool", "tool_call_id": "call_2", "content": ""},
        {"role": "tool", "tool_call_id": "call_3", "content": [{"type": "text", "text": "rain"}]},
        {"role": "user", "content": "Thanks"},
    ]}));
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "call_1", "name": "w", "input": {"b": 1.0, "a": 2}},
                {"type": "tool_use", "id": "call_2", "name": "w", "input": {}},
                {"type": "tool_use", "id": "call_3", "name": "w", "input": {"invalid_arguments": "oops"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "sun"}]},
                {"type": "tool_result", "tool_use_id": "call_2"},
                {"type": "tool_result", "tool_use_id": "call_3", "content": [{"type": "text", "text": "rain"}]},
                {"type": "text", "text": "Thanks"},
            ]},
        ])
    );
}

#[test]
fn tools_and_tool_choices_are_translated() {
    let tools = json!([
        {"type": "function", "function": {"name": "f", "description": "F", "parameters": {"type": "object", "properties": {}}}},
        {"type": "function", "function": {"name": "g"}},
    ]);
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let cases = [
        (json!("auto"), json!(null), json!({"type": "auto"}), 2),
        (json!("none"), json!(null), json!({"type": "none"}), 2),
        (
            json!("required"),
            json!(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
            2,
        ),
        (
            json!({"type": "function", "function": {"name": "g"}}),
            json!(true),
            json!({"type": "tool", "name": "g"}),
            2,
        ),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "g"}}]}}),
            json!(null),
            json!({"type": "auto"}),
            1,
        ),
        (
            json!(null),
            json!(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            2,
        ),
        (json!(null), json!(null), json!(null), 2),
    ];
    for (choice, parallel, expected, count) in cases {
        let sent = encoded(
            json!({"messages": messages, "tools": tools, "tool_choice": choice, "parallel_tool_calls": parallel}),
        );
        assert_eq!(sent["tool_choice"], expected, "{choice}");
        assert_eq!(sent["tools"].as_array().map(Vec::len), Some(count));
    }
    let sent = encoded(json!({"messages": messages, "tools": tools}));
    assert_eq!(
        sent["tools"],
        json!([
            {"name": "f", "description": "F", "input_schema": {"type": "object", "properties": {}}},
            {"name": "g", "input_schema": {"type": "object"}},
        ])
    );
}

#[test]
fn images_are_translated() {
    let sent = encoded(json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]}]}));
    assert_eq!(
        sent["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        ])
    );
}

#[test]
fn thinking_parameters_match_the_model() {
    let ask = |style, effort: &str| {
        let body = json!({"messages": [{"role": "user", "content": "Hi"}],
            "reasoning_effort": effort, "temperature": 0.2});
        encode(style, body).expect("encodes")
    };
    let budget = ask(ThinkingStyle::Budget, "low");
    assert_eq!(
        budget["thinking"],
        json!({"type": "enabled", "budget_tokens": 2048})
    );
    assert_eq!(budget["max_tokens"], json!(64_000));
    assert_eq!(
        budget["temperature"],
        json!(null),
        "it is not taken beside thinking"
    );
    let adaptive = ask(ThinkingStyle::Adaptive, "medium");
    assert_eq!(
        adaptive["thinking"],
        json!({"type": "adaptive", "display": "summarized"})
    );
    assert_eq!(adaptive["output_config"], json!({"effort": "medium"}));
    let off = ask(ThinkingStyle::Budget, "none");
    assert_eq!(off["thinking"], json!(null));
    assert_eq!(off["temperature"], json!(0.2));
    let body = json!({"messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "high", "seed": 1});
    let dropped = server(ThinkingStyle::Unknown).dropped(&request(body));
    assert_eq!(dropped, ["seed", "reasoning_effort"]);
}

#[test]
fn thinking_in_a_tool_call_chain_requires_signed_reasoning() {
    let conversation = |signed: Value| {
        let mut call = json!({"role": "assistant", "content": "Let me see.", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
        if !signed.is_null() {
            call["thinking_blocks"] = signed;
        }
        json!({"reasoning_effort": "low", "messages": [
            {"role": "user", "content": "Hi"}, call,
            {"role": "tool", "tool_call_id": "c", "content": "1"}]})
    };
    let block = json!({"type": "thinking", "thinking": "hm", "signature": "sig"});
    let sent =
        encode(ThinkingStyle::Budget, conversation(json!([block.clone()]))).expect("encodes");
    assert_eq!(sent["messages"][1]["content"][0], block);
    assert_eq!(sent["thinking"]["type"], json!("enabled"));
    let sent = encode(ThinkingStyle::Budget, conversation(json!(null))).expect("encodes");
    assert_eq!(sent["thinking"], json!(null));
    // A text directly after the result does not end the chain; an answer does.
    let remark = json!({"role": "user", "content": "Mind the units."});
    let answer = json!({"role": "assistant", "content": "1"});
    for (signed, more, thinks) in [
        (json!([block]), vec![&remark], true),
        (json!(null), vec![&remark], false),
        (json!(null), vec![&answer, &remark], true),
    ] {
        let mut asked = conversation(signed);
        let messages = asked["messages"].as_array_mut().expect("a list");
        messages.extend(more.into_iter().cloned());
        let sent = encode(ThinkingStyle::Budget, asked.clone()).expect("encodes");
        assert_eq!(sent["thinking"].is_object(), thinks, "{asked}");
    }
}

#[test]
fn signed_reasoning_is_replayed_only_to_its_signer() {
    let body = json!({"type": "message", "role": "assistant", "model": "x", "stop_reason": "tool_use",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "sig"},
                    {"type": "tool_use", "id": "c", "name": "f", "input": {}}],
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    let models =
        json!([{"id": "m", "thinking": "adaptive"}, {"id": "other", "thinking": "adaptive"}]);
    let models: Vec<Model> = serde_json::from_value(models).expect("models");
    let server = Anthropic::new("https://anthropic.example/v1", None, &models);
    let asked = any();
    let answer = server.decode_whole(&asked, &serde_json::to_vec(&body).expect("JSON"));
    let choice = answer.expect("an answer").choices.remove(0);
    // The message as a session stores and replays it, with the tool result.
    let stored: Value = choice
        .to_stored("anthropic/m")
        .expect("JSON")
        .read()
        .expect("JSON");
    let conversation = json!({"messages": [{"role": "user", "content": "Hi"}, stored,
        {"role": "tool", "tool_call_id": "c", "content": "1"}]});
    let sent_to = |model: &str| {
        let mut request = request(conversation.clone());
        request.model = model.to_owned();
        let sent = server.encode(&request, Mode::Whole).expect("encodes");
        serde_json::from_slice::<Value>(&sent.body).expect("JSON")
    };
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "sig"});
    let signer = sent_to(&asked.model);
    assert_eq!(signer["messages"][1]["content"][0], thought);
    assert_eq!(signer["thinking"], Value::Null);
    let other = sent_to("other");
    assert_eq!(other["thinking"]["type"], "disabled");
    assert!(!other.to_string().contains("sig"), "{other}");
    assert_eq!(other["messages"][1]["content"][0]["type"], "tool_use");
}

/// A conversation as a session replays it: the answer that `body` is, and a next question.
fn continued(server: &Anthropic, body: &Value) -> (LlmRequest, LlmResponse) {
    let body = serde_json::to_vec(body).expect("JSON");
    let answer = server.decode_whole(&any(), &body).expect("an answer");
    let stored = answer.choices[0].to_stored("anthropic/m").expect("JSON");
    let mut request = any();
    request
        .messages
        .push(Message::from_stored(Role::Assistant, stored));
    request
        .messages
        .push(Message::text(Role::User, "Go on.").expect("a message"));
    (request, answer)
}

#[test]
fn cited_texts_and_unknown_blocks_go_back_to_their_model_as_they_came() {
    let blocks = json!([
        {"type": "text", "text": "Searching."},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"encrypted_content": "E"}]},
        {"type": "text", "text": " \n"},
        {"type": "text", "text": "Wet.", "citations": [{"type": "char_location", "cited_text": "wet"}]},
    ]);
    let body = json!({"type": "message", "role": "assistant", "model": "x", "stop_reason": "pause_turn",
        "content": blocks, "usage": {"input_tokens": 1, "output_tokens": 1}});
    let server = server(ThinkingStyle::Unknown).of_provider("anthropic");
    let (request, answer) = continued(&server, &body);
    let choice = &answer.choices[0];
    assert_eq!(choice.content.as_deref(), Some("Searching. \nWet."));
    assert_eq!(choice.finish_reason, Some(FinishReason::Length));
    let native = choice.choice_members.get("native_finish_reason");
    assert_eq!(native.map(Json::as_str), Some("\"pause_turn\""));
    let sent = server.encode(&request, Mode::Whole).expect("encodes");
    let sent: Value = serde_json::from_slice(&sent.body).expect("JSON");
    let mut expected = blocks.as_array().expect("blocks").clone();
    // The API rejects blank texts.
    expected.remove(3);
    assert_eq!(sent["messages"][1]["content"], Value::from(expected));
    // Other clients get the same events as those of the provider's stream.
    let mut again = Accumulator::default();
    let events = replay(answer.clone());
    again.push_all(&events);
    assert_eq!(again.finish(), answer);
    let delta = |wanted: fn(&Delta) -> bool| {
        let deltas = events.iter().filter(|event| match event {
            LlmEvent::Delta { delta, .. } => wanted(delta),
            _ => false,
        });
        deltas.count()
    };
    assert_eq!(delta(|it| matches!(it, Delta::Block(_))), 2);
    assert_eq!(delta(|it| matches!(it, Delta::Citation(_))), 1);
    assert_eq!(delta(|it| matches!(it, Delta::TextEnd)), 3);
}

#[test]
fn deltas_of_unknown_blocks_are_merged() {
    let start = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let add = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    let events = [
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 1}}}),
        start(
            0,
            json!({"type": "server_tool_use", "id": "s", "name": "f", "input": {}}),
        ),
        add(
            0,
            json!({"type": "input_json_delta", "partial_json": "{\"a\":"}),
        ),
        add(0, json!({"type": "input_json_delta", "partial_json": "1}"})),
        stop(0),
        start(1, json!({"type": "compaction", "content": null})),
        add(1, json!({"type": "compaction_delta", "content": "Sum"})),
        add(1, json!({"type": "compaction_delta", "content": "mary"})),
        stop(1),
        start(2, json!({"type": "text", "text": "", "citations": []})),
        add(2, json!({"type": "text_delta", "text": "Wet."})),
        add(
            2,
            json!({"type": "citations_delta", "citation": {"cited_text": "wet"}}),
        ),
        stop(2),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let stream: Vec<String> = events.iter().map(|it| format!("data: {it}\n\n")).collect();
    let stream = stream.concat();
    let server = server(ThinkingStyle::Unknown).of_provider("anthropic");
    let answer = server
        .decode_whole(&any(), stream.as_bytes())
        .expect("an answer");
    let own = ContentBlocks::of(&answer.choices[0].members).expect("blocks");
    assert_eq!(own.origin, "anthropic/m");
    let blocks: Vec<Value> = own
        .blocks
        .iter()
        .map(|it| it.read().expect("JSON"))
        .collect();
    assert_eq!(
        Value::from(blocks),
        json!([
            {"type": "server_tool_use", "id": "s", "name": "f", "input": {"a": 1}},
            {"type": "compaction", "content": "Summary"},
            {"type": "text", "text": "Wet.", "citations": [{"cited_text": "wet"}]},
        ])
    );
}

#[test]
fn formats_are_translated() {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let sent = encoded(json!({"messages": messages, "response_format":
        {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}));
    assert_eq!(
        sent["output_config"]["format"],
        json!({"type": "json_schema", "schema": schema})
    );
    let sent = encoded(json!({"messages": messages, "response_format": {"type": "json_object"}}));
    assert!(
        sent["system"][0]["text"]
            .as_str()
            .expect("a text")
            .contains("JSON")
    );
}

#[test]
fn long_prefixes_get_cache_marks() {
    let long = "x".repeat(20_000);
    let sent = encoded(json!({"messages": [
        {"role": "system", "content": long},
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"}]}));
    let mark = json!({"type": "ephemeral"});
    assert_eq!(sent["system"][0]["cache_control"], mark);
    assert_eq!(sent["messages"][2]["content"][0]["cache_control"], mark);
    let sent = encoded(
        json!({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "a"}]}),
    );
    assert!(!sent.to_string().contains("cache_control"));
}

#[test]
fn unsupported_parameters_are_rejected_by_name() {
    let cases = [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"logit_bias": {"1": 5}}), "logit_bias"),
        (json!({"presence_penalty": 0.5}), "presence_penalty"),
        (json!({"stop": [" "]}), "stop"),
        (
            json!({"tools": [{"type": "custom", "custom": {"name": "c"}}]}),
            "tools",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y"}}]}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "system", "content": "only"}]}),
            "messages",
        ),
    ];
    for (members, expected) in cases {
        let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
        for (name, value) in members.as_object().expect("an object") {
            body[name] = value.clone();
        }
        match encode(ThinkingStyle::Unknown, body) {
            Err(LlmError::Unsupported { param, .. }) => assert_eq!(param, expected),
            other => panic!("{members}: {other:?}"),
        }
    }
}

#[test]
fn whole_responses_are_decoded() {
    let server = server(ThinkingStyle::Unknown);
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "u", "name": "g", "input": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 5, "output_tokens": 6}});
    let answer = server
        .decode_whole(&any(), &serde_json::to_vec(&body).expect("JSON"))
        .expect("an answer");
    let choice = &answer.choices[0];
    assert_eq!(choice.content.as_deref(), Some("Hello"));
    assert_eq!(choice.finish_reason, Some(FinishReason::ToolCalls));
    assert_eq!(choice.tool_calls[0].arguments, r#"{"a":1}"#);
    assert_eq!(choice.tool_calls[1].arguments, "{}");
    assert!(choice.thinking_blocks.is_some());
    assert_eq!(answer.usage.expect("usage").total_tokens, 11);
}

#[test]
fn an_answer_that_fills_the_window_is_cut_off_and_keeps_its_reason() {
    let body = json!({"type": "message", "role": "assistant", "model": "x",
        "stop_reason": "model_context_window_exceeded", "content": [{"type": "text", "text": "a"}],
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    let server = server(ThinkingStyle::Unknown).of_provider("anthropic");
    let (_, answer) = continued(&server, &body);
    let choice = &answer.choices[0];
    assert_eq!(choice.finish_reason, Some(FinishReason::Length));
    let native = choice.choice_members.get("native_finish_reason");
    let expected = "\"model_context_window_exceeded\"";
    assert_eq!(native.map(Json::as_str), Some(expected));
}

#[test]
fn invalid_responses_are_errors() {
    let server = server(ThinkingStyle::Unknown);
    for body in [
        "<html>",
        "{}",
        r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
        r#"{"type":"message","content":[],"stop_reason":null}"#,
        r#"{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"vibes"}"#,
        r#"{"type":"message","content":[{"type":"tool_use"}],"stop_reason":"tool_use"}"#,
    ] {
        assert!(
            server.decode_whole(&any(), body.as_bytes()).is_err(),
            "{body}"
        );
    }
    let busy = r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#;
    assert_eq!(
        server.decode_whole(&any(), busy.as_bytes()),
        Err(LlmError::Overloaded { retry_after: None })
    );
    assert_eq!(
        server.decode_refusal(529, busy.as_bytes()),
        LlmError::Overloaded { retry_after: None }
    );
    let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 tokens > 1"}}"#;
    assert_eq!(
        server.decode_refusal(400, long.as_bytes()),
        LlmError::ContextLength
    );
}

/// Decodes a stream of these events.
fn stream(events: &[&str]) -> (usize, Option<LlmError>) {
    let mut decoder = server(ThinkingStyle::Unknown).decoder(&any());
    let mut out = Vec::new();
    for event in events {
        let event = format!("data: {event}\n\n");
        if let Err(error) = decoder.push(event.as_bytes(), &mut out) {
            return (out.len(), Some(error));
        }
    }
    let ended = decoder.end(&mut out);
    (out.len(), ended.err())
}

#[test]
fn a_broken_stream_is_an_error_after_its_valid_events() {
    const START: &str = r#"{"type":"message_start","message":{"usage":{"input_tokens":1}}}"#;
    const TEXT: &str =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hel"}}"#;
    const MORE: &str =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#;
    const BUSY: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#;
    const STOP: &str = r#"{"type":"message_stop"}"#;
    // The known usage, and two pieces of text.
    let (count, error) = stream(&[START, TEXT, MORE, BUSY]);
    assert_eq!(count, 3);
    assert_eq!(error, Some(LlmError::Overloaded { retry_after: None }));
    for ending in [&[START, TEXT, MORE][..], &[START, TEXT, MORE, STOP]] {
        let (count, error) = stream(ending);
        assert_eq!(count, 3);
        assert!(matches!(error, Some(LlmError::Truncated(_))), "{error:?}");
    }
    for ending in [&[START, MORE][..], &[START, TEXT, TEXT], &["{"], &[START]] {
        let (_, error) = stream(ending);
        assert!(matches!(error, Some(LlmError::Malformed(_))), "{error:?}");
    }
}
