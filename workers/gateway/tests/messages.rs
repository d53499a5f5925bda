//! Requests for messages, over providers of both wires.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are passed"
)]

mod support;

use clawless_testkit::provider::{Reply, Step};
use serde_json::{Value, json};
use support::{Customer, Deployment, Response, completion_reply, delta, end};

/// A provider of each wire.
const PROVIDERS: &str = r#"[
    {"name":"other","kind":"openai","base_url":"https://other.example/v1",
     "models":[{"id":"small","context":8192,"features":{"vision":false}}]},
    {"name":"anthropic","kind":"anthropic","base_url":"https://anthropic.example/v1",
     "models":[{"id":"claude","context":200000,"thinking":"budget",
       "price":{"input":3000000,"output":15000000,"cached_input":300000,"cache_write":3750000}}]}]"#;

fn deployment() -> (std::rc::Rc<Deployment>, Customer) {
    let deployment = Deployment::with_providers(PROVIDERS);
    let customer = deployment.customer();
    (deployment, customer)
}

fn request(model: &str, messages: Value) -> Value {
    json!({"model": model, "max_tokens": 2000, "messages": messages})
}

fn saying(model: &str, text: &str) -> Value {
    request(model, json!([{"role": "user", "content": text}]))
}

/// The body of the last request to a provider, as text.
fn sent(deployment: &Deployment) -> String {
    let requests = deployment.http.requests();
    String::from_utf8(requests.last().expect("a request").body.clone()).expect("UTF-8")
}

fn sent_json(deployment: &Deployment) -> Value {
    serde_json::from_str(&sent(deployment)).expect("JSON")
}

/// An answer on Anthropic's wire.
fn message_reply(content: Value, stop_reason: &str) -> Reply {
    let body = json!({
        "id": "msg_x", "type": "message", "role": "assistant", "model": "claude", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {"input_tokens": 7, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 10,
            "output_tokens": 3},
    });
    Reply::json(200, &body.to_string())
}

/// Events on Anthropic's wire, from `message_start` on.
fn events(events: &[Value]) -> String {
    let start = json!({"type": "message_start", "message": {"id": "msg_x", "type": "message",
        "role": "assistant", "content": [], "model": "claude",
        "usage": {"input_tokens": 7, "output_tokens": 1}}});
    let mut stream = String::new();
    for event in std::iter::once(&start).chain(events) {
        let name = event["type"].as_str().expect("a type");
        let data = event.to_string();
        stream.extend(["event: ", name, "\ndata: ", &data, "\n\n"]);
    }
    stream
}

fn ending(stop_reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null},
            "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
}

/// The events of a response besides pings.
fn received(response: &Response) -> Vec<Value> {
    let lines = response.body.lines();
    let data = lines.filter_map(|line| line.strip_prefix("data: "));
    let events = data.map(|json| serde_json::from_str(json).expect("JSON"));
    events
        .filter(|event: &Value| event["type"] != "ping")
        .collect()
}

fn types(response: &Response) -> Vec<String> {
    let events = received(response).into_iter();
    events
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

#[test]
fn blocks_go_to_an_anthropic_provider_byte_for_byte() {
    let (deployment, customer) = deployment();
    let thinking = r#"{ "type":"thinking","thinking":"hm\u00e9", "signature":"sig==" }"#;
    let call = r#"{"type":"tool_use","id":"toolu_1","name":"read","input":{ "path":"a" },"caller":{"type":"direct"}}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"x"}],"cache_control":{"type":"ephemeral"}}"#;
    let unknown = r#"{"type":"hologram", "data":[1.0]}"#;
    let system = r#"{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}"#;
    let body = format!(
        r#"{{"model":"claude","max_tokens":4000,"system":[{system}],"thinking":{{"type":"enabled","budget_tokens":1500}},
        "tools":[{{"name":"read","input_schema":{{"type":"object"}}}}],
        "messages":[{{"role":"user","content":"go"}},{{"role":"assistant","content":[{thinking},{call}]}},
        {{"role":"user","content":[{result},{unknown}]}}]}}"#
    );
    deployment.http.next(message_reply(
        json!([{"type": "text", "text": "done"}]),
        "end_turn",
    ));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [
        ("content-type", "application/json"),
        ("anthropic-version", "2023-06-01"),
        ("authorization", bearer.as_str()),
        (
            "anthropic-beta",
            "interleaved-thinking-2025-05-14,context-1m-2025-08-07",
        ),
    ];
    let response = deployment.message_text(&headers, body);
    assert_eq!(response.status, 200, "{}", response.body);
    let text = sent(&deployment);
    assert!(text.contains(&format!(r#""system":[{system}]"#)), "{text}");
    assert!(
        text.contains(&format!(
            r#"{{"role":"assistant","content":[{thinking},{call}]}}"#
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            r#"{{"role":"user","content":[{result},{unknown}]}}"#
        )),
        "{text}"
    );
    assert!(
        text.contains(r#""thinking":{"type":"enabled","budget_tokens":1500}"#),
        "{text}"
    );
    let requests = deployment.http.requests();
    assert_eq!(
        requests[0].header("anthropic-beta"),
        Some("interleaved-thinking-2025-05-14")
    );
    assert_eq!(
        response.headers["x-clawless-dropped"],
        "anthropic-beta:context-1m-2025-08-07"
    );
    let body = response.json();
    assert_eq!(body["content"], json!([{"type": "text", "text": "done"}]));
    assert_eq!(body["stop_reason"], "end_turn");
    for (name, tokens) in [
        ("input_tokens", 7),
        ("cache_creation_input_tokens", 20),
        ("cache_read_input_tokens", 10),
        ("output_tokens", 3),
    ] {
        assert_eq!(body["usage"][name], tokens, "{name}");
    }
    assert!(body["id"].as_str().expect("an id").starts_with("msg_"));
}

#[test]
fn blocks_are_translated_for_another_wire() {
    let (deployment, customer) = deployment();
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let mut body = request(
        "small",
        json!([
            {"role": "user", "content": [{"type": "text", "text": "look"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "see", "input": {"n": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen", "is_error": true},
                {"type": "text", "text": "so?"}]},
        ]),
    );
    body["system"] = json!("be brief");
    body["tools"] = json!([{"name": "see", "input_schema": {"type": "object"}}]);
    body["tool_choice"] = json!({"type": "any"});
    body["stop_sequences"] = json!(["END"]);
    body["cache_control"] = json!({"type": "ephemeral"});
    deployment.http.next(completion_reply("Hello."));
    let response = deployment.message(&customer, &body);
    assert_eq!(response.status, 200, "{}", response.body);
    let sent = sent_json(&deployment);
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": "I look.", "reasoning_content": "hm", "reasoning": "hm",
             "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {"name": "see", "arguments": "{\"n\":1}"}}]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "Error: seen"},
            {"role": "user", "content": "so?"},
        ])
    );
    assert_eq!(
        (&sent["tool_choice"], &sent["stop"], &sent["max_tokens"]),
        (&json!("required"), &json!(["END"]), &json!(2000))
    );
    assert_eq!(response.headers["x-clawless-dropped"], "cache_control");
    assert_eq!(response.json()["usage"]["input_tokens"], 7);
    // An image is routed to a model that sees, or refused.
    let seeing = request("small", json!([{"role": "user", "content": [image]}]));
    let refused = deployment.message(&customer, &seeing);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "unsupported_parameter")
    );
    let unknown = request(
        "small",
        json!([{"role": "user", "content": [{"type": "hologram"}]}]),
    );
    let refused = deployment.message(&customer, &unknown);
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("hologram"), "{}", refused.body);
}

#[test]
fn thinking_and_calls_stream_with_their_signatures() {
    let (deployment, customer) = deployment();
    let block = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let piece = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    let answer = [
        block(
            0,
            json!({"type": "thinking", "thinking": "", "signature": ""}),
        ),
        piece(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        piece(0, json!({"type": "signature_delta", "signature": "sig"})),
        stop(0),
        block(1, json!({"type": "redacted_thinking", "data": "xyz"})),
        stop(1),
        block(2, json!({"type": "text", "text": ""})),
        piece(2, json!({"type": "text_delta", "text": "I read."})),
        stop(2),
        block(
            3,
            json!({"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}),
        ),
        piece(
            3,
            json!({"type": "input_json_delta", "partial_json": "{\"path\":"}),
        ),
        piece(
            3,
            json!({"type": "input_json_delta", "partial_json": "\"a\"}"}),
        ),
        stop(3),
    ];
    let all: Vec<Value> = answer.iter().cloned().chain(ending("tool_use")).collect();
    deployment.http.next(Reply::stream(&events(&all)));
    let mut body = saying("claude", "go");
    body["stream"] = json!(true);
    body["tools"] = json!([{"name": "read", "input_schema": {"type": "object"}}]);
    let response = deployment.message(&customer, &body);
    let received = received(&response);
    assert_eq!(received[0]["type"], "message_start");
    // The client's copies of signatures name the model that made them.
    let mut expected = answer.to_vec();
    let named = |text| format!(r#"clawless1:{{"origin":"anthropic/claude","signature":"{text}"}}"#);
    expected[2]["delta"]["signature"] = json!(named("sig"));
    expected[4]["content_block"]["data"] = json!(named("xyz"));
    assert_eq!(received[1..=answer.len()], expected, "{}", response.body);
    let (end, stop) = (&received[answer.len() + 1], &received[answer.len() + 2]);
    assert_eq!(
        end["delta"],
        json!({"container": null, "stop_details": null, "stop_reason": "tool_use", "stop_sequence": null})
    );
    assert_eq!(
        (
            &end["usage"]["input_tokens"],
            &end["usage"]["output_tokens"]
        ),
        (&json!(7), &json!(9))
    );
    assert_eq!(stop["type"], "message_stop");
}

#[test]
fn a_broken_stream_ends_with_an_error_and_no_stop() {
    let (deployment, customer) = deployment();
    deployment.http.next(Reply::steps(vec![
        Step::Bytes(delta("Hel").into_bytes()),
        Step::Break,
    ]));
    let mut body = saying("small", "go");
    body["stream"] = json!(true);
    let response = deployment.message(&customer, &body);
    assert_eq!(
        types(&response),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "error"
        ]
    );
    let last = received(&response).pop().expect("an event");
    assert_eq!(last["error"]["type"], "api_error");
    assert!(
        last["request_id"]
            .as_str()
            .expect("an id")
            .starts_with("req_")
    );
    assert!(!response.body.contains("message_stop"));
}

#[test]
fn sessions_keep_blocks_and_continue_on_either_wire() {
    let (deployment, customer) = deployment();
    let in_session = [("x-session-id", "talk")];
    let block = json!({"type": "text", "text": "I am Ada.", "citations": null});
    deployment.http.next(message_reply(
        json!([{"type": "text", "text": "Hello, Ada."}]),
        "end_turn",
    ));
    let first = request("claude", json!([{"role": "user", "content": [block]}]));
    let response = deployment.message_with(&customer, &in_session, &first);
    assert_eq!(response.headers["x-session-id"], "talk");
    deployment.http.next(message_reply(
        json!([{"type": "text", "text": "Ada."}]),
        "end_turn",
    ));
    deployment.message_with(&customer, &in_session, &saying("claude", "Who am I?"));
    let messages = sent_json(&deployment)["messages"].clone();
    assert_eq!(messages[0]["content"][0], block);
    assert_eq!(messages.as_array().expect("messages").len(), 3);
    // The same history on the other wire and the other surface.
    deployment.http.next(completion_reply("Ada, still."));
    let response = deployment.chat_in_session(&customer, "talk", "And now?");
    assert_eq!(response.status, 200, "{}", response.body);
    let messages = sent_json(&deployment)["messages"].clone();
    assert_eq!(messages[0], json!({"role": "user", "content": "I am Ada."}));
    assert_eq!(messages.as_array().expect("messages").len(), 5);
}

#[test]
fn a_repeated_request_gets_the_same_answer_in_the_same_format() {
    let (deployment, customer) = deployment();
    let key = [("idempotency-key", "k1")];
    for stream in [false, true] {
        let mut body = saying("small", "Hi");
        body["stream"] = json!(stream);
        let key = if stream {
            [("idempotency-key", "k2")]
        } else {
            key
        };
        deployment.http.next(if stream {
            Reply::reads(&[&delta("Hel"), &delta("lo."), &end()])
        } else {
            completion_reply("Hello.")
        });
        let first = deployment.message_with(&customer, &key, &body);
        let again = deployment.message_with(&customer, &key, &body);
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert_eq!(again.headers["x-clawless-model"], "small");
        if stream {
            assert_eq!(
                types(&again).first().map(String::as_str),
                Some("message_start")
            );
            assert_eq!(
                types(&again).last().map(String::as_str),
                Some("message_stop")
            );
        } else {
            assert_eq!(again.body, first.body);
        }
    }
    assert_eq!(deployment.http.requests().len(), 2);
}

#[test]
fn an_unsigned_thought_is_not_sent_to_anthropic() {
    let (deployment, customer) = deployment();
    let body = request(
        "claude",
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "of another model", "signature": ""},
                {"type": "text", "text": "yes"}]},
            {"role": "user", "content": "on"},
        ]),
    );
    deployment.http.next(message_reply(
        json!([{"type": "text", "text": "ok"}]),
        "end_turn",
    ));
    assert_eq!(deployment.message(&customer, &body).status, 200);
    assert!(!sent(&deployment).contains("another model"));
}

#[test]
fn invalid_requests_are_refused_before_a_provider_is_called() {
    let (deployment, customer) = deployment();
    let mut unlimited = saying("small", "Hi");
    unlimited
        .as_object_mut()
        .expect("an object")
        .remove("max_tokens");
    let mut searching = saying("claude", "Hi");
    searching["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    for (body, param) in [(unlimited, "max_tokens"), (searching, "tools[0].type")] {
        let refused = deployment.message(&customer, &body);
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["error"]["param"], param);
    }
    let unknown = deployment.message(&customer, &saying("nothing", "Hi"));
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "model_not_found")
    );
    assert!(deployment.http.requests().is_empty());
}

/// An answer with a call and the provider's own members, and its stream.
fn signed_call() -> (Value, Value) {
    let call = json!({"index": 0, "id": "call_1", "type": "function",
        "function": {"name": "read", "arguments": "{\"path\":\"a\"}"},
        "extra_content": {"google": {"thought_signature": "S=="}}});
    let details = json!([{"type": "reasoning.encrypted", "data": "gA", "index": 0}]);
    (call, details)
}

#[test]
fn a_stateless_chain_of_calls_returns_the_providers_members_to_it_only() {
    let (deployment, customer) = deployment();
    let tools = json!([{"name": "read", "input_schema": {"type": "object"}}]);
    let (call, details) = signed_call();
    for stream in [false, true] {
        let answer = json!({"role": "assistant", "content": null, "tool_calls": [call], "reasoning_details": details});
        deployment.http.next(if stream {
            let chunk = |delta: Value, reason: Value| {
                let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
                format!("data: {}\n\n", json!({"choices": [choice]}))
            };
            let (called, done) = (
                chunk(answer, Value::Null),
                chunk(json!({}), json!("tool_calls")),
            );
            Reply::reads(&[&called, &done, "data: [DONE]\n\n"])
        } else {
            let choice = json!({"index": 0, "message": answer, "finish_reason": "tool_calls"});
            Reply::json(200, &json!({"choices": [choice]}).to_string())
        });
        let mut body = saying("small", "go");
        body["tools"] = tools.clone();
        body["stream"] = json!(stream);
        let response = deployment.message(&customer, &body);
        let content = if stream {
            streamed_content(&response)
        } else {
            response.json()["content"]
                .as_array()
                .expect("blocks")
                .clone()
        };
        let types: Vec<_> = content.iter().map(|it| it["type"].as_str()).collect();
        assert_eq!(types, [Some("redacted_thinking"), Some("tool_use")]);
        let result = json!({"type": "tool_result", "tool_use_id": "call_1", "content": "x"});
        let chain = |model: &str| {
            let mut next = body.clone();
            next["model"] = json!(model);
            next["stream"] = json!(false);
            let messages = next["messages"].as_array_mut().expect("messages");
            messages.push(json!({"role": "assistant", "content": content}));
            messages.push(json!({"role": "user", "content": [result]}));
            next
        };
        deployment.http.next(completion_reply("done"));
        assert_eq!(deployment.message(&customer, &chain("small")).status, 200);
        let message = sent_json(&deployment)["messages"][1].clone();
        assert_eq!(message["reasoning_details"], details);
        assert_eq!(
            message["tool_calls"][0]["extra_content"],
            call["extra_content"]
        );
        assert!(!sent(&deployment).contains("clawless"));
        let done = json!([{"type": "text", "text": "done"}]);
        deployment.http.next(message_reply(done, "end_turn"));
        assert_eq!(deployment.message(&customer, &chain("claude")).status, 200);
        let foreign = sent(&deployment);
        assert!(
            !foreign.contains("clawless") && !foreign.contains("S=="),
            "{foreign}"
        );
    }
}

/// The content blocks of a stream, as SDKs put them together.
fn streamed_content(response: &Response) -> Vec<Value> {
    let mut content: Vec<Value> = Vec::new();
    let mut arguments = String::new();
    for event in received(response) {
        match event["type"].as_str() {
            Some("content_block_start") => content.push(event["content_block"].clone()),
            Some("content_block_delta") => {
                arguments.push_str(event["delta"]["partial_json"].as_str().expect("arguments"));
            }
            _ => {}
        }
    }
    let last = content.last_mut().expect("a call");
    last["input"] = serde_json::from_str(&arguments).expect("JSON");
    content
}
