//! The platform's own models: inputs of the binding, and classification of its errors.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use clawless_api::chat;
use clawless_core::FinishReason;
use clawless_core::llm::{LlmProvider, LlmRequest, ProviderKind};
use clawless_llm::egress::Egress;
use clawless_llm::protocol::{Mode, Protocol};
use clawless_llm::workers_ai::WorkersAi;
use clawless_llm::{LlmError, make_client};
use clawless_testkit::provider::Reply;
use common::{DONE, Stage};
use serde_json::{Value, json};

fn request(mut body: Value) -> LlmRequest {
    body["model"] = json!("@cf/x/y");
    let body = serde_json::to_vec(&body).expect("JSON");
    let request = chat::parse(&body).expect("valid").request;
    LlmRequest {
        model: "@cf/x/y".to_owned(),
        messages: request.messages,
        options: request.options,
    }
}

fn encode(body: Value) -> Result<Value, LlmError> {
    let encoded = WorkersAi::new(&[]).encode(&request(body), Mode::Stream)?;
    Ok(serde_json::from_slice(&encoded.body).expect("JSON"))
}

#[test]
fn inputs_match_the_platforms_format() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let inputs = encode(json!({"messages": [
            {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
            {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "1"},
        ],
        "temperature": 0.5, "tools": [tool("f"), tool("g")],
        "tool_choice": {"type": "function", "function": {"name": "g"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    }))
    .expect("encodes");
    assert_eq!(
        inputs,
        json!({
            "messages": [
                {"role": "system", "content": "a\nb"},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "content": "1", "tool_call_id": "c"},
            ],
            "max_tokens": 2048, "temperature": 0.5, "stream": true,
            "tools": [tool("g")], "tool_choice": "required",
            "response_format": {"type": "json_schema", "json_schema": {"type": "object"}},
        })
    );
}

#[test]
fn unsupported_parameters_are_rejected_by_name() {
    for (name, value) in [
        ("stop", json!("x")),
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("logit_bias", json!({"1": 1})),
    ] {
        let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
        body[name] = value;
        match encode(body) {
            Err(LlmError::Unsupported { param, .. }) => assert_eq!(param, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn errors_are_classified_by_the_platforms_codes() {
    let refusal = |status, code: u64| {
        let body = json!({"internalCode": code, "name": "x", "description": "why"});
        let body = serde_json::to_vec(&body).expect("JSON");
        WorkersAi::new(&[]).decode_refusal(status, &body)
    };
    assert_eq!(
        refusal(429, 3040),
        LlmError::Overloaded { retry_after: None }
    );
    assert_eq!(refusal(429, 3036), LlmError::Misconfigured { status: 429 });
    assert_eq!(refusal(413, 3006), LlmError::ContextLength);
    assert_eq!(
        refusal(400, 5004),
        LlmError::InvalidRequest {
            message: "why".to_owned(),
            param: None
        }
    );
    assert!(refusal(408, 3007).is_retryable());
    let plain = WorkersAi::new(&[]).decode_refusal(500, b"oops");
    assert!(matches!(plain, LlmError::ServerError { status: 500, .. }));
}

#[test]
fn platform_models_are_called_through_the_binding() {
    let mut stage = Stage::new();
    let provider = LlmProvider {
        name: "workers-ai".to_owned(),
        kind: ProviderKind::WorkersAi,
        base_url: String::new(),
        key: None,
        profile: None,
        models: Vec::new(),
    };
    stage.client = make_client(&provider, None, Egress::Public).expect("a client");
    let native = r#"{"response":"Hello","usage":{"prompt_tokens":1,"completion_tokens":2048,"total_tokens":2049}}"#;
    stage.http.next(Reply::json(200, native));
    let answer = stage.complete().expect("an answer");
    assert_eq!(answer.choices[0].content.as_deref(), Some("Hello"));
    assert_eq!(
        answer.choices[0].finish_reason,
        Some(FinishReason::Length),
        "as many tokens as were allowed: it was cut"
    );
    assert_eq!(stage.http.requests()[0].url, "workers-ai:m");
    for body in [
        "{}",
        r#"{"response":null}"#,
        "<html>",
        r#"{"internalCode":3040,"description":"x"}"#,
    ] {
        stage.http.next(Reply::json(200, body));
        assert!(stage.complete().is_err(), "{body}");
    }
    let usage = r#""usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}"#;
    for members in [r#""response":"""#, &format!(r#""response":"",{usage}"#)] {
        stage.http.next(Reply::json(200, &format!("{{{members}}}")));
        assert_eq!(stage.complete(), Err(LlmError::EmptyAnswer), "{members}");
        let stream = format!("data: {{{members}}}\n\n{DONE}");
        stage.http.next(Reply::stream(&stream));
        let failed = (Vec::new(), Some(LlmError::EmptyAnswer));
        assert_eq!(stage.stream(), failed, "{members}");
    }
    let parsed = r#"{"response":{"a":1}}"#;
    stage.http.next(Reply::json(200, parsed));
    let answer = stage.complete().expect("an answer");
    assert_eq!(answer.choices[0].content.as_deref(), Some(r#"{"a":1}"#));
}
