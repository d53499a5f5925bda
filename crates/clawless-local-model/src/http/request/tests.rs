use super::*;
use crate::chat::Role::{self, Assistant, System, Tool, User};
use serde_json::json;

fn read(changes: &Value) -> Result<ChatRequest, ApiError> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    let members = body.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    ChatRequest::read(&body, true)
}

/// The `param` of the refusal.
fn refused(changes: &Value) -> String {
    let error = read(changes).unwrap_err();
    assert_eq!(error.status, 400, "{error:?}");
    error.param.unwrap_or_default()
}

#[test]
fn a_bare_request_gets_the_defaults() {
    let request = read(&json!({})).unwrap();
    assert_eq!(request.max_tokens, 512);
    assert!((request.sampling.temperature - 0.25).abs() < 1e-6);
    assert!((request.sampling.top_p - 0.9).abs() < 1e-6);
    assert!((request.sampling.repeat_penalty - 1.1).abs() < 1e-6);
    assert!(!request.stream && request.stop.is_empty() && request.tools.is_empty());
}

#[test]
fn null_is_the_same_as_absent() {
    let nulls = json!({"stop": null, "max_tokens": null, "temperature": null, "seed": null,
        "tools": null, "stream": null, "n": null, "stream_options": null});
    assert_eq!(read(&nulls).unwrap().max_tokens, 512);
}

#[test]
fn everything_that_is_honoured_is_read() {
    let request = read(&json!({
        "stream": true, "stream_options": {"include_usage": true},
        "max_tokens": 9, "max_completion_tokens": 5,
        "stop": ["a", "b"], "seed": -1, "temperature": 0, "top_p": 1,
        "frequency_penalty": 2, "presence_penalty": -2, "repeat_penalty": 1.0,
        "logit_bias": {"5": -100}, "user": "u", "metadata": {"a": "b"}, "unknown_to_us": 1,
    }))
    .unwrap();
    assert!(request.stream && request.include_usage);
    assert_eq!(request.max_tokens, 5);
    assert_eq!(request.stop, ["a", "b"]);
    assert_eq!(request.sampling.seed, u64::MAX);
    assert_eq!(request.sampling.bias, [(5, -100.0)]);
    assert_eq!(read(&json!({"stop": "x"})).unwrap().stop, ["x"]);
}

#[test]
fn wrong_types_and_values_name_their_parameter() {
    for (changes, param) in [
        (json!({"model": null}), "model"),
        (json!({"model": 1}), "model"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": "Hi"}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": ["Hi"]}), "messages[0]"),
        (json!({"messages": [{"content": "Hi"}]}), "messages[0].role"),
        (
            json!({"messages": [{"role": "robot", "content": "Hi"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": 1}]}),
            "messages[0].content",
        ),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"temperature": 2.1}), "temperature"),
        (json!({"top_p": -0.1}), "top_p"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": 1.5}), "max_tokens"),
        (
            json!({"max_completion_tokens": -3}),
            "max_completion_tokens",
        ),
        (json!({"seed": "x"}), "seed"),
        (json!({"stop": 1}), "stop"),
        (json!({"stop": ["a", 1]}), "stop[1]"),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop"),
        (json!({"stream": "yes"}), "stream"),
        (
            json!({"stream_options": {"include_usage": true}}),
            "stream_options",
        ),
        (
            json!({"stream": true, "stream_options": 1}),
            "stream_options",
        ),
        (
            json!({"stream": true, "stream_options": {"include_usage": 1}}),
            "stream_options.include_usage",
        ),
        (json!({"logit_bias": {"a": 1}}), "logit_bias"),
        (json!({"logit_bias": {"1": 101}}), "logit_bias.1"),
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (
            json!({"response_format": {"type": "json_object"}}),
            "response_format",
        ),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [{"type": "custom"}]}), "tools[0].type"),
        (
            json!({"tools": [{"type": "function", "function": {}}]}),
            "tools[0].function.name",
        ),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"functions": []}), "functions"),
    ] {
        assert_eq!(refused(&changes), param, "{changes}");
    }
}

#[test]
fn parts_of_text_are_joined_and_other_parts_are_named() {
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let request = read(&json!({"messages": [{"role": "user", "content": parts}]})).unwrap();
    assert_eq!(request.messages[0].text, "ab");
    let image = json!([{"type": "image_url", "image_url": {"url": "data:"}}]);
    assert_eq!(
        refused(&json!({"messages": [{"role": "user", "content": image}]})),
        "messages[0].content[0].type"
    );
}

#[test]
fn all_six_roles_are_known() {
    let messages = json!([
        {"role": "developer", "content": "d"},
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "1", "content": "t"},
        {"role": "function", "name": "f", "content": "t"},
    ]);
    let request = read(&json!({"messages": messages})).unwrap();
    let roles: Vec<Role> = request.messages.iter().map(|m| m.role).collect();
    assert_eq!(roles, [System, System, User, Assistant, Tool, Tool]);
    assert_eq!(request.messages[3].calls, [("f".into(), "{}".into())]);
}

#[test]
fn tools_are_refused_where_the_model_cannot_call_them_unless_none_may_be_called() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let mut body = json!({"model": "m", "tools": tools,
        "messages": [{"role": "user", "content": "Hi"}]});
    let error = ChatRequest::read(&body, false).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("tools"));
    body["tool_choice"] = json!("none");
    assert!(ChatRequest::read(&body, false).is_ok());
}

#[test]
fn a_named_choice_must_be_offered() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let request = read(&json!({"tools": tools, "tool_choice": named("f")})).unwrap();
    assert_eq!(request.tool_choice, ToolChoice::Named("f".into()));
    assert_eq!(
        refused(&json!({"tools": tools, "tool_choice": named("g")})),
        "tool_choice"
    );
}
