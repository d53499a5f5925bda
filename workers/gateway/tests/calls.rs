//! Custom tool calls and legacy function calls are stored and replayed unchanged.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_testkit::provider::Reply;
use serde_json::{Value, json};
use support::{Customer, Deployment, Response, completion_reply};

/// A provider's stream of these deltas with this finish reason.
fn stream(deltas: &[Value], reason: &str) -> Reply {
    let chunk = |delta: &Value, reason: Option<&str>| {
        let chunk = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        format!("data: {chunk}\n\n")
    };
    let deltas = deltas.iter().map(|delta| chunk(delta, None));
    let reads: Vec<String> = deltas
        .chain([
            chunk(&json!({}), Some(reason)),
            "data: [DONE]\n\n".to_owned(),
        ])
        .collect();
    Reply::reads(&reads.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs a turn of a session, with these members beside the messages.
fn turn(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    messages: &Value,
    more: &Value,
) -> Response {
    let mut body = json!({"model": "small", "session_id": "s", "messages": messages});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let response = deployment.chat(customer, &body);
    assert_eq!(response.status, 200, "{}", response.body);
    response
}

fn last_provider_request(deployment: &Deployment) -> Value {
    let requests = deployment.http.requests();
    serde_json::from_slice(&requests.last().expect("a request").body).expect("JSON")
}

#[test]
fn a_custom_tool_call_is_stored_and_replayed_unchanged() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let tools = json!({"stream": true, "tools": [{"type": "custom", "custom": {"name": "sql"}}]});
    let call = |call: Value| json!({"tool_calls": [call]});
    deployment.http.next(stream(
        &[
            call(json!({"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": ""}})),
            call(json!({"index": 0, "custom": {"input": "SELECT "}})),
            call(json!({"index": 0, "custom": {"input": "\"x\""}})),
        ],
        "tool_calls",
    ));
    let question = json!({"role": "user", "content": "How many?"});
    let response = turn(&deployment, &customer, &json!([question]), &tools);
    assert!(response.is_done(), "{}", response.body);
    assert_eq!(last_provider_request(&deployment)["tools"], tools["tools"]);
    let assistant_message = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT \"x\""}}]});

    // The resumed turn has the same call.
    let id = response.events()[0]["id"]
        .as_str()
        .expect("an id")
        .replace("chatcmpl-", "req_");
    let again = deployment.run(deployment.resume(&customer, "application/json", "s", &id));
    let again = again.json();
    assert_eq!(
        again["choices"][0]["message"]["tool_calls"],
        assistant_message["tool_calls"]
    );
    assert_eq!(again["choices"][0]["finish_reason"], "tool_calls");

    // The provider gets the same call in the next turn's history.
    let result = json!({"role": "tool", "tool_call_id": "c", "content": "3"});
    deployment.http.next(completion_reply("Three."));
    turn(
        &deployment,
        &customer,
        &json!([result]),
        &json!({"tools": tools["tools"]}),
    );
    assert_eq!(
        last_provider_request(&deployment)["messages"],
        json!([question, assistant_message, result])
    );
}

#[test]
fn a_legacy_function_call_is_stored_and_replayed_unchanged() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let functions = json!({"functions": [{"name": "f"}]});
    let streamed = json!({"stream": true, "functions": [{"name": "f"}]});
    deployment.http.next(stream(
        &[
            json!({"function_call": {"name": "f", "arguments": ""}}),
            json!({"function_call": {"arguments": "{}"}}),
        ],
        "function_call",
    ));
    let question = json!({"role": "user", "content": "How many?"});
    let response = turn(&deployment, &customer, &json!([question]), &streamed);
    assert!(response.is_done(), "{}", response.body);
    assert_eq!(
        last_provider_request(&deployment)["functions"],
        functions["functions"]
    );
    let assistant_message = json!({"role": "assistant", "content": null,
        "function_call": {"name": "f", "arguments": "{}"}});
    let id = response.events()[0]["id"]
        .as_str()
        .expect("an id")
        .replace("chatcmpl-", "req_");
    let again = deployment.run(deployment.resume(&customer, "application/json", "s", &id));
    let again = again.json();
    assert_eq!(
        again["choices"][0]["message"]["function_call"],
        assistant_message["function_call"]
    );
    assert_eq!(again["choices"][0]["finish_reason"], "function_call");
    let result = json!({"role": "function", "name": "f", "content": "3"});
    deployment.http.next(completion_reply("Three."));
    turn(&deployment, &customer, &json!([result]), &functions);
    assert_eq!(
        last_provider_request(&deployment)["messages"],
        json!([question, assistant_message, result])
    );
}

#[test]
fn unsupported_stream_padding_is_listed_as_dropped() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment
        .http
        .next(stream(&[json!({"content": "Hi"})], "stop"));
    let padded = json!({"stream": true, "stream_options": {"include_obfuscation": true}});
    let question = json!([{"role": "user", "content": "Hi"}]);
    let response = turn(&deployment, &customer, &question, &padded);
    let dropped = &response.headers["x-clawless-dropped"];
    assert_eq!(dropped, "stream_options.include_obfuscation");
}
