//! Legacy functions: the translated request of each wire, and the response in the legacy form.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use clawless_api::chat::{self, ChatCompletionResponse, ChunkWriter};
use clawless_core::Timestamp;
use clawless_core::llm::{LlmProvider, LlmRequest, ProviderKind};
use clawless_core::time::Clock;
use clawless_llm::egress::Egress;
use clawless_llm::{Timeouts, make_client};
use clawless_testkit::provider::Reply;
use common::{DONE, Stage, chunk};
use serde_json::{Value, json};

const KINDS: [ProviderKind; 3] = [
    ProviderKind::OpenAi,
    ProviderKind::Anthropic,
    ProviderKind::WorkersAi,
];

fn request() -> LlmRequest {
    let body = json!({"model": "m",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"x\":1}"}},
            {"role": "function", "name": "f", "content": "one"},
            {"role": "assistant", "content": "Well.", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "two"},
        ],
        "functions": [{"name": "f", "description": "F.", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"}});
    let body = serde_json::to_vec(&body).expect("JSON");
    let request = chat::parse(&body).expect("valid").request;
    LlmRequest {
        model: "m".to_owned(),
        messages: request.messages,
        options: request.options,
    }
}

fn stage(kind: ProviderKind) -> Stage {
    let provider = LlmProvider {
        kind,
        ..common::provider("provider")
    };
    Stage {
        client: make_client(&provider, None, Egress::Public).expect("a client"),
        ..Stage::new()
    }
}

fn anthropic(name: &str, data: &Value) -> String {
    let mut data = data.clone();
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}

/// Two calls in a stream: the legacy form holds only one.
fn stream(kind: ProviderKind) -> String {
    match kind {
        ProviderKind::OpenAi => [
            chunk(r#""delta":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}"#),
            chunk(r#""delta":{"function_call":{"arguments":"{\"y\""}}"#),
            chunk(r#""delta":{"function_call":{"arguments":":2}"}}"#),
            chunk(r#""delta":{},"finish_reason":"function_call""#),
            DONE.to_owned(),
        ]
        .concat(),
        ProviderKind::Anthropic => {
            let block = |index, id: &str| {
                let block = json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
                let start = json!({"index": index, "content_block": block});
                let delta = json!({"index": index, "delta": {"type": "input_json_delta", "partial_json": "{\"y\":2}"}});
                anthropic("content_block_start", &start) + &anthropic("content_block_delta", &delta)
            };
            [
                anthropic("message_start", &json!({"message": {}})),
                block(0, "a"),
                block(1, "b"),
                anthropic("message_delta", &json!({"delta": {"stop_reason": "tool_use"}})),
                anthropic("message_stop", &json!({})),
            ]
            .concat()
        }
        ProviderKind::WorkersAi => {
            let calls = json!({"tool_calls": [
                {"name": "f", "arguments": {"y": 2}}, {"name": "g", "arguments": {"z": 3}}]});
            format!("data: {calls}\n\n{DONE}")
        }
    }
}

fn whole(kind: ProviderKind) -> Value {
    match kind {
        ProviderKind::OpenAi => json!({"choices": [{"finish_reason": "function_call",
            "message": {"content": null, "function_call": {"name": "f", "arguments": "{\"y\":2}"}}}]}),
        ProviderKind::Anthropic => {
            json!({"type": "message", "stop_reason": "tool_use", "content": [
            {"type": "tool_use", "id": "a", "name": "f", "input": {"y": 2}}]})
        }
        ProviderKind::WorkersAi => json!({"response": null, "tool_calls": [
            {"name": "f", "arguments": {"y": 2}}, {"name": "g", "arguments": {"z": 3}}]}),
    }
}

#[test]
fn streamed_calls_are_returned_in_the_legacy_form() {
    for kind in KINDS {
        let stage = stage(kind);
        stage.http.next(Reply::reads(&[&stream(kind)]));
        let (io, request, timeouts) = (stage.io(), request(), Timeouts::default());
        let events = stage.time.run(async {
            let deadline = stage.time.now().plus(Timeouts::default().total);
            let opened = stage.client.stream(&io, &request, &timeouts, deadline);
            let mut answer = opened.await.expect("begun");
            let mut events = Vec::new();
            while let Some(more) = answer.next().await {
                events.extend(more.expect("good"));
            }
            events
        });
        let mut writer =
            ChunkWriter::new("id".to_owned(), Timestamp::default(), "m".to_owned(), false);
        let mut out = String::new();
        for event in &events {
            writer.event(event, &mut out);
        }
        let chunks = out.split_terminator("\n\n");
        let chunks = chunks.map(|it| it.strip_prefix("data: ").expect("data"));
        let chunks: Vec<Value> = chunks
            .map(|it| serde_json::from_str(it).expect("JSON"))
            .collect();
        let choices: Vec<&Value> = chunks.iter().map(|it| &it["choices"][0]).collect();
        let call = |choice: &&Value| choice["delta"].get("function_call").cloned();
        let calls: Vec<Value> = choices.iter().filter_map(call).collect();
        assert_eq!(calls[0], json!({"name": "f", "arguments": ""}), "{kind:?}");
        let rest = calls[1..].iter().map(|it| {
            assert!(it.get("name").is_none(), "said once");
            it["arguments"].as_str().expect("a text")
        });
        assert_eq!(rest.collect::<String>(), r#"{"y":2}"#, "{kind:?}");
        assert!(!out.contains("tool_calls"), "{kind:?}: {out}");
        let last = choices.last().expect("an end");
        assert_eq!(last["finish_reason"], "function_call", "{kind:?}");
    }
}

#[test]
fn whole_responses_are_returned_in_the_legacy_form() {
    for kind in KINDS {
        let stage = stage(kind);
        stage.http.next(Reply::json(200, &whole(kind).to_string()));
        let answer = stage.time.run(async {
            let deadline = stage.time.now().plus(Timeouts::default().total);
            let (io, request, timeouts) = (stage.io(), request(), Timeouts::default());
            stage
                .client
                .complete(&io, &request, &timeouts, deadline)
                .await
        });
        let answer = ChatCompletionResponse::new(
            "id".to_owned(),
            Timestamp::default(),
            "m".to_owned(),
            answer.expect("an answer"),
        );
        let answer = serde_json::to_value(&answer).expect("JSON");
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "function_call", "{kind:?}");
        assert_eq!(
            choice["message"],
            json!({"role": "assistant", "content": null, "refusal": null,
                "function_call": {"name": "f", "arguments": "{\"y\":2}"}}),
            "{kind:?}"
        );
    }
}

#[test]
fn other_wires_receive_functions_as_tools() {
    let sent = |kind| {
        let stage = stage(kind);
        stage.http.next(Reply::json(200, &whole(kind).to_string()));
        stage.time.run(async {
            let deadline = stage.time.now().plus(Timeouts::default().total);
            let (io, request, timeouts) = (stage.io(), request(), Timeouts::default());
            let answered = stage.client.complete(&io, &request, &timeouts, deadline);
            answered.await.expect("an answer");
        });
        let body = &stage.http.requests()[0].body;
        serde_json::from_slice::<Value>(body).expect("JSON")
    };
    let body = sent(ProviderKind::Anthropic);
    let used =
        |id: &str, input: Value| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
    let tool_result = |id: &str, text: &str| {
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id,
            "content": [{"type": "text", "text": text}]}]})
    };
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [used("call_1", json!({"x": 1}))]},
            tool_result("call_1", "one"),
            {"role": "assistant", "content": [{"type": "text", "text": "Well."}, used("call_3", json!({}))]},
            tool_result("call_3", "two"),
        ])
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true})
    );
    assert_eq!(body["tools"][0]["description"], "F.");
    let body = sent(ProviderKind::WorkersAi);
    assert_eq!(body["tool_choice"], "required");
    assert_eq!(body["tools"][0]["function"]["name"], "f");
    assert_eq!(body["messages"][3]["tool_calls"][0]["id"], "call_3");
    assert_eq!(
        body["messages"][4],
        json!({"role": "tool", "content": "two", "tool_call_id": "call_3"})
    );
    let body = sent(ProviderKind::OpenAi);
    assert_eq!(body["function_call"], json!({"name": "f"}));
    assert_eq!(body["messages"][2]["role"], "function");
}
