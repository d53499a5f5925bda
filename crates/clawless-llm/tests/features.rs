//! Every request feature on every provider's wire: sent, reported as dropped, or rejected with the
//! name of its parameter. Never silently ignored.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use clawless_api::chat;
use clawless_core::llm::LlmRequest;
use clawless_core::model::Model;
use clawless_llm::LlmError;
use clawless_llm::anthropic::Anthropic;
use clawless_llm::openai::OpenAi;
use clawless_llm::protocol::{Mode, Protocol};
use clawless_llm::workers_ai::WorkersAi;
use serde_json::{Value, json};

/// The wires: `OpenAI`'s, Anthropic's, and the platform's two.
fn wires() -> [(&'static str, Box<dyn Protocol>); 4] {
    let model = |more: Value| -> Vec<Model> {
        let mut model = json!({"id": "m", "thinking": "adaptive"});
        for (name, value) in more.as_object().expect("an object") {
            model[name] = value.clone();
        }
        vec![serde_json::from_value(model).expect("a model")]
    };
    let plain = model(json!({}));
    let openai_form = model(json!({"inputs": "openai"}));
    [
        (
            "openai",
            Box::new(OpenAi::new("https://o.example/v1", None)),
        ),
        (
            "anthropic",
            Box::new(Anthropic::new("https://a.example/v1", None, &plain)),
        ),
        ("workers_ai", Box::new(WorkersAi::new(&plain))),
        (
            "workers_ai, openai form",
            Box::new(WorkersAi::new(&openai_form)),
        ),
    ]
}

/// A request with this feature, or the same without it.
fn request(feature: &Value, with: bool) -> LlmRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    let feature = feature.as_object().expect("an object");
    for (name, value) in feature {
        // A tool choice is valid only with tools.
        if with || (name == "tools" && feature.len() > 1) {
            body[name] = value.clone();
        }
    }
    let body = serde_json::to_vec(&body).expect("JSON");
    let parsed = chat::parse(&body).unwrap_or_else(|error| panic!("{error:?}"));
    let request = parsed.request;
    LlmRequest {
        model: request.model,
        messages: request.messages,
        options: request.options,
    }
}

/// The outcome of a feature on a wire.
fn outcome(wire: &dyn Protocol, feature: &Value) -> String {
    let (with, without) = (request(feature, true), request(feature, false));
    let sent = match wire.encode(&with, Mode::Whole) {
        Ok(sent) => sent,
        Err(LlmError::Unsupported { param, .. }) => return format!("400 {param}"),
        Err(error) => panic!("{error:?}"),
    };
    let plain = wire.encode(&without, Mode::Whole).expect("encodes");
    match (wire.dropped(&with).as_slice(), sent.body == plain.body) {
        ([], false) => "carried".to_owned(),
        ([], true) => "LOST".to_owned(),
        (dropped, true) => format!("dropped {}", dropped.join(" ")),
        (dropped, false) => format!("carried in part, dropped {}", dropped.join(" ")),
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn no_feature_is_silently_lost() {
    let tool =
        json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
    let tools = json!([tool, {"type": "function", "function": {"name": "g"}}]);
    let custom = json!([{"type": "custom", "custom": {"name": "c"}}]);
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}]});
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}});
    let allowed = json!({"type": "allowed_tools", "allowed_tools":
        {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}});
    let strict = json!([{"type": "function", "function": {"name": "f", "strict": true}}]);
    let functions = json!([{"name": "f"}, {"name": "g"}]);
    let others = json!({"type": "allowed_tools", "allowed_tools":
        {"mode": "auto", "tools": [{"type": "function", "function": {"name": "other"}}]}});
    let custom_call = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": null,
            "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "c", "input": "x"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"}]);
    let older = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"}]);
    let c = "carried";
    let cases = [
        (json!({"tools": tools}), [c, c, c, c]),
        (
            json!({"tools": tools, "tool_choice": "required"}),
            [c, c, c, c],
        ),
        (
            json!({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "f"}}}),
            [c, c, c, c],
        ),
        (
            json!({"tools": tools, "tool_choice": allowed}),
            [c, c, c, c],
        ),
        (
            json!({"tools": tools, "parallel_tool_calls": false}),
            [c, c, "dropped parallel_tool_calls", c],
        ),
        (json!({"tools": strict}), [c, c, c, c]),
        (
            json!({"tool_choice": "required"}),
            [c, "400 tool_choice", "400 tool_choice", c],
        ),
        (
            json!({"tools": tools, "tool_choice": others}),
            [c, "400 tool_choice", "400 tool_choice", c],
        ),
        (json!({"tools": custom}), [c, "400 tools", "400 tools", c]),
        (
            json!({"tools": custom, "tool_choice": {"type": "custom", "custom": {"name": "c"}}}),
            [c, "400 tools", "400 tools", c],
        ),
        (json!({"functions": [{"name": "f"}]}), [c, c, c, c]),
        (
            json!({"functions": functions, "function_call": {"name": "f"}}),
            [c, c, c, c],
        ),
        (
            json!({"functions": functions, "function_call": "sometimes"}),
            [c, "400 function_call", "400 function_call", c],
        ),
        (json!({"messages": older}), [c, c, c, c]),
        (
            json!({"messages": [{"role": "function", "name": "f", "content": "1"}]}),
            [c, "400 messages[0].name", "400 messages[0].name", c],
        ),
        (json!({"messages": custom_call}), [c, c, c, c]),
        (
            json!({"messages": [{"role": "user", "name": "Ann", "content": "Hi"}]}),
            [c, "dropped messages[].name", c, c],
        ),
        (
            json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "audio": {"id": "a"}}]}),
            [c, "400 messages[1].audio", "400 messages[1].audio", c],
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            [c, c, c, c],
        ),
        (json!({"response_format": schema}), [c, c, c, c]),
        (
            part(json!({"type": "image_url", "image_url": {"url": "https://x.example/y.png"}})),
            [c, c, c, c],
        ),
        (
            part(
                json!({"type": "image_url", "image_url": {"url": "https://x.example/y.png", "detail": "low"}}),
            ),
            [
                c,
                "carried in part, dropped messages[].content[].image_url.detail",
                c,
                c,
            ],
        ),
        (
            part(json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}})),
            [c, "400 messages[0].content", "400 messages[0].content", c],
        ),
        (
            part(json!({"type": "file", "file": {"file_id": "f"}})),
            [c, "400 messages[0].content", "400 messages[0].content", c],
        ),
        (json!({"stop": ["x"]}), [c, c, "400 stop", c]),
        (json!({"seed": 7}), [c, "dropped seed", c, c]),
        (
            json!({"logprobs": true, "top_logprobs": 2}),
            [c, "400 logprobs", "400 logprobs", c],
        ),
        (
            json!({"top_logprobs": 2}),
            [c, "400 logprobs", "400 logprobs", c],
        ),
        (json!({"n": 2}), [c, "400 n", "400 n", c]),
        (
            json!({"logit_bias": {"1": 5}}),
            [c, "400 logit_bias", "400 logit_bias", c],
        ),
        (
            json!({"presence_penalty": 1.0}),
            [c, "400 presence_penalty", c, c],
        ),
        (
            json!({"frequency_penalty": 1.0}),
            [c, "400 frequency_penalty", c, c],
        ),
        (
            json!({"temperature": 0.5, "reasoning_effort": "none"}),
            [c, c, c, c],
        ),
        (
            json!({"temperature": 1.5, "reasoning_effort": "none"}),
            [c, "carried in part, dropped temperature", c, c],
        ),
        (
            json!({"top_p": 0.5, "reasoning_effort": "none"}),
            [c, c, c, c],
        ),
        (json!({"max_tokens": 5}), [c, c, c, c]),
        (json!({"reasoning_effort": "high"}), [c, c, c, c]),
        (
            json!({"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "wav"}}),
            [
                "400 modalities",
                "400 modalities",
                "400 modalities",
                "400 modalities",
            ],
        ),
        (
            json!({"modalities": ["text", "audio"]}),
            [
                "400 modalities",
                "400 modalities",
                "400 modalities",
                "400 modalities",
            ],
        ),
        (
            json!({"verbosity": "low"}),
            [
                c,
                "dropped verbosity",
                "dropped verbosity",
                "dropped verbosity",
            ],
        ),
        (
            json!({"service_tier": "auto"}),
            [
                c,
                "dropped service_tier",
                "dropped service_tier",
                "dropped service_tier",
            ],
        ),
        (
            json!({"service_tier": "flex"}),
            [
                "dropped service_tier",
                "dropped service_tier",
                "dropped service_tier",
                "dropped service_tier",
            ],
        ),
        (
            json!({"prediction": {"type": "content", "content": "x"}}),
            [
                c,
                "dropped prediction",
                "dropped prediction",
                "dropped prediction",
            ],
        ),
        (
            json!({"store": true}),
            [c, "dropped store", "dropped store", "dropped store"],
        ),
        (
            json!({"metadata": {"a": "b"}}),
            [
                c,
                "dropped metadata",
                "dropped metadata",
                "dropped metadata",
            ],
        ),
        (json!({"user": "u"}), [c, c, "dropped user", "dropped user"]),
        (
            json!({"safety_identifier": "u"}),
            [
                c,
                c,
                "dropped safety_identifier",
                "dropped safety_identifier",
            ],
        ),
        (
            json!({"prompt_cache_key": "k"}),
            [
                c,
                "dropped prompt_cache_key",
                "dropped prompt_cache_key",
                "dropped prompt_cache_key",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (feature, expected) in &cases {
        for ((wire, protocol), expected) in wires().iter().zip(expected) {
            let found = outcome(protocol.as_ref(), feature);
            if found != *expected {
                wrong.push(format!("{wire}: {feature} is {found}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
