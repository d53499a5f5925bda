//! Servers with Anthropic's API whose models do not sign their reasoning: it goes back to the model that
//! wrote it, as that wrote it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::llm::{ClientText, LlmProvider, LlmRequest, LlmResponse, ProviderKind};
use clawless_core::{Message, Role};
use clawless_llm::egress::Egress;
use clawless_llm::{Timeouts, make_client};
use clawless_testkit::provider::Reply;
use common::Stage;
use serde_json::{Value, json};

const THOUGHT: &str = r#"{"type":"thinking","thinking":"hm"}"#;

/// Calls a provider with this profile. Returns the answer and what was sent.
fn call(profile: Option<&str>, messages: Vec<Message>) -> (LlmResponse, Value) {
    let stage = Stage::new();
    let content: Vec<Value> = vec![
        serde_json::from_str(THOUGHT).expect("JSON"),
        json!({"type": "tool_use", "id": "c", "name": "f", "input": {}}),
    ];
    let body = json!({"type": "message", "role": "assistant", "content": content,
        "stop_reason": "tool_use", "usage": {"input_tokens": 9, "output_tokens": 9}});
    stage.http.next(Reply::json(200, &body.to_string()));
    let provider = LlmProvider {
        name: "p".to_owned(),
        kind: ProviderKind::Anthropic,
        base_url: "https://a.example/anthropic/v1".to_owned(),
        profile: profile.map(str::to_owned),
        key: None,
        models: Vec::new(),
    };
    let client = make_client(&provider, None, Egress::Public).expect("a client");
    let request = LlmRequest {
        model: "m".to_owned(),
        messages,
        options: ChatOptions::default(),
    };
    let deadline = clawless_core::Timestamp::from_millis(1_800_000_000_000);
    let timeouts = Timeouts::default();
    let (time, io) = (stage.time.clone(), stage.io());
    let called = client.complete(&io, &request, &timeouts, deadline);
    let answer = time.run(called).expect("an answer");
    let sent = serde_json::from_slice(&stage.http.requests()[0].body).expect("JSON");
    (answer, sent)
}

fn user() -> Message {
    Message::text(Role::User, "Hi").expect("a message")
}

fn result() -> Message {
    Message::tool_result("c", "1").expect("a message")
}

#[test]
fn unsigned_reasoning_returns_to_its_model_as_that_sent_it() {
    let compatible = Some("anthropic-compatible");
    let (answer, _) = call(compatible, vec![user()]);
    let stored = answer.choices[0].to_stored("p/m").expect("JSON");
    let answer = |stored: &str| {
        let raw = Json::parse(stored.to_owned()).expect("JSON");
        Message::from_stored(Role::Assistant, raw)
    };
    let chain = vec![user(), answer(stored.as_str()), result()];
    let (_, sent) = call(compatible, chain);
    let thought: Value = serde_json::from_str(THOUGHT).expect("JSON");
    assert_eq!(sent["messages"][1]["content"][0], thought);
    // Of another model.
    let foreign = stored.as_str().replace("p/m", "q/m");
    let (_, sent) = call(compatible, vec![user(), answer(&foreign), result()]);
    assert_eq!(sent["messages"][1]["content"][0]["type"], "tool_use");
}

#[test]
fn anthropic_itself_gets_no_unsigned_reasoning() {
    let (answer, _) = call(None, vec![user()]);
    let choice = &answer.choices[0];
    assert_eq!(choice.reasoning.as_deref(), Some("hm"));
    assert_eq!(choice.thinking_blocks, None);
}

#[test]
fn content_blocks_with_the_mark_of_their_model_are_sent_without_it() {
    let (origin, signature) = ("p/m".to_owned(), String::new());
    let mark = clawless_core::llm::Signature { origin, signature }.to_text();
    let blocks = |mark: &str| {
        let thought = json!({"type": "thinking", "thinking": "hm", "signature": mark});
        let call = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
        let blocks = [thought, call].map(|it| Json::parse(it.to_string()).expect("JSON"));
        Message::from_blocks(Role::Assistant, &blocks).expect("a message")
    };
    let compatible = Some("anthropic-compatible");
    let (_, sent) = call(compatible, vec![user(), blocks(&mark), result()]);
    let thought: Value = serde_json::from_str(THOUGHT).expect("JSON");
    assert_eq!(sent["messages"][1]["content"][0], thought);
    for mark in ["", &mark.replace("p/m", "q/m")] {
        let (_, sent) = call(compatible, vec![user(), blocks(mark), result()]);
        assert_eq!(sent["messages"][1]["content"][0]["type"], "tool_use");
    }
}
