//! Server tools inside a turn, over the scripted provider.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod rounds;
mod sends;
mod sessions;
#[path = "../support/mod.rs"]
mod support;

use clawless_core::tenant::TenantSettings;
use clawless_testkit::provider::Reply;
use serde_json::{Value, json};
use support::{Customer, Deployment, chat_request};

/// A tenant with these tools enabled.
pub(crate) fn customer(deployment: &Deployment, tools: &[&str]) -> Customer {
    let settings = TenantSettings {
        tools: tools.iter().map(|&name| name.to_owned()).collect(),
        ..TenantSettings::default()
    };
    deployment.customer_with(settings, |_| {})
}

/// One call of a tool: id, name, arguments.
pub(crate) type Call<'a> = (&'a str, &'a str, &'a str);

/// A provider's answer that calls tools, after a text.
pub(crate) fn calls(text: Option<&str>, calls: &[Call<'_>]) -> Reply {
    let calls = calls.iter().map(|(id, name, arguments)| {
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    });
    let body = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "small",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": text, "tool_calls": calls.collect::<Vec<_>>()}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    });
    Reply::json(200, &body.to_string())
}

/// The same, streamed.
pub(crate) fn calls_streamed(text: &str, calls: &[Call<'_>]) -> Reply {
    let event = |choice: Value| format!("data: {}\n\n", json!({ "choices": [choice] }));
    let mut body = event(json!({"index": 0, "delta": {"content": text}, "finish_reason": null}));
    for (at, (id, name, arguments)) in calls.iter().enumerate() {
        let (first, rest) = arguments.split_at(arguments.len() / 2);
        for call in [
            json!({"index": at, "id": id, "type": "function", "function": {"name": name, "arguments": first}}),
            json!({"index": at, "function": {"arguments": rest}}),
        ] {
            let delta = json!({"tool_calls": [call]});
            body += &event(json!({"index": 0, "delta": delta, "finish_reason": null}));
        }
    }
    body += &event(json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}));
    body += "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120}}\n\n";
    body += "data: [DONE]\n\n";
    Reply::stream(&body)
}

/// A provider's streamed text.
pub(crate) fn streams(text: &str) -> Reply {
    Reply::reads(&[&support::delta(text), &support::end()])
}

/// The bodies of the requests to the provider.
pub(crate) fn provider_requests(deployment: &Deployment) -> Vec<Value> {
    let requests = deployment.http.requests();
    let bodies = requests.iter().map(|it| serde_json::from_slice(&it.body));
    bodies.collect::<Result<_, _>>().expect("JSON")
}

/// The tool results in the last request to the model.
pub(crate) fn tool_results(deployment: &Deployment) -> Vec<String> {
    let provider_requests = provider_requests(deployment);
    let messages = provider_requests.last().expect("a request")["messages"].clone();
    let messages = messages.as_array().expect("messages").clone();
    let tools = messages.iter().filter(|message| message["role"] == "tool");
    tools
        .map(|message| message["content"].as_str().expect("a text").to_owned())
        .collect()
}

/// The recorded executions, oldest first, as `tool outcome`.
pub(crate) fn recorded(deployment: &Deployment) -> Vec<String> {
    let rows = deployment
        .sql
        .rows("SELECT tool, outcome FROM tool_executions ORDER BY id");
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    rows.iter()
        .map(|row| format!("{} {}", word(&row["tool"]), word(&row["outcome"])))
        .collect()
}

/// A request with a client tool.
pub(crate) fn request_with_weather(text: &str) -> Value {
    let mut request = chat_request(text);
    request["tools"] = json!([{"type": "function", "function": {"name": "weather"}}]);
    request
}
