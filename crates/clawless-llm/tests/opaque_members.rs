//! Members that the wire does not define: they reach the client, the session, and the model that they
//! came from.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use clawless_api::chat::{ChatCompletionResponse, ChunkWriter};
use clawless_core::llm::{LlmChoice, LlmResponse};
use clawless_core::{Message, Role, Timestamp};
use clawless_testkit::provider::Reply;
use common::{DONE, Stage, chunk, collect, only, streamed, whole};
use serde_json::{Value, json};

/// The chunks that a client receives for a stream of these choices.
fn client_chunks(choices: &[&str]) -> Vec<Value> {
    let chunks: String = choices.iter().map(|members| chunk(members)).collect();
    let stage = Stage::new();
    stage.http.always(Reply::stream(&(chunks + DONE)));
    let (reads, failure) = stage.stream();
    assert_eq!(failure, None);
    let mut writer = ChunkWriter::new("id".to_owned(), Timestamp::default(), "m".to_owned(), false);
    let mut out = String::new();
    for event in reads.iter().flatten() {
        writer.event(event, &mut out);
    }
    let chunks = out.split_terminator("\n\n");
    let chunks = chunks.map(|it| it.strip_prefix("data: ").expect("data"));
    chunks
        .map(|it| serde_json::from_str(it).expect("JSON"))
        .collect()
}

/// The body that a client receives for a whole response.
fn client_body(answer: LlmResponse) -> Value {
    let (id, model) = ("id".to_owned(), "m".to_owned());
    let body = ChatCompletionResponse::new(id, Timestamp::default(), model, answer);
    serde_json::to_value(&body).expect("JSON")
}

/// The message that a session stores for a choice.
fn stored(choice: &LlmChoice) -> Value {
    let raw = choice.to_stored("provider/m").expect("JSON");
    raw.read().expect("JSON")
}

/// The last message sent to `provider` for a conversation with this stored message and a tool
/// result.
fn sent_back(choice: &LlmChoice, provider: &str) -> Value {
    let mut request = common::request();
    let raw = choice.to_stored("provider/m").expect("JSON");
    request
        .messages
        .push(Message::from_stored(Role::Assistant, raw));
    for call in &choice.tool_calls {
        let result = Message::tool_result(&call.id, "18").expect("JSON");
        request.messages.push(result);
    }
    let mut stage = Stage::new();
    stage.client = common::client(provider);
    let body = r#"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}"#;
    stage.http.always(Reply::json(200, body));
    stage.complete_request(&request).expect("an answer");
    let sent: Value = serde_json::from_slice(&stage.http.requests()[0].body).expect("JSON");
    sent["messages"][1].clone()
}

#[test]
fn unknown_members_reach_the_client_the_session_and_their_model() {
    let signature = json!({"google": {"thought_signature": "EjQKMgEB"}});
    let details =
        json!([{"type": "reasoning.encrypted", "data": "gAAAA", "id": "rs_1", "index": 0}]);
    let message = json!({"role": "assistant", "content": "", "reasoning_content": "hm",
        "reasoning_details": details,
        "tool_calls": [{"index": 0, "extra_content": signature, "id": "c1", "type": "function",
            "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]});
    let body =
        json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let whole = whole(&body.to_string()).expect("an answer");
    let streamed = streamed(&[&format!(
        r#""delta":{message},"finish_reason":"tool_calls""#
    )]);
    let streamed = streamed.expect("an answer");
    assert_eq!(whole.choices, streamed.choices);

    let seen = &client_body(whole.clone())["choices"][0]["message"];
    assert_eq!(seen["reasoning_details"], details);
    assert_eq!(seen["reasoning_content"], "hm");
    assert_eq!(seen["tool_calls"][0]["extra_content"], signature);
    assert_eq!(seen.get("clawless_origin"), None);

    let choice = &whole.choices[0];
    let kept = stored(choice);
    assert_eq!(kept["reasoning_details"], details);
    assert_eq!(kept["tool_calls"][0]["extra_content"], signature);
    assert_eq!(kept["clawless_origin"], "provider/m");

    let back = sent_back(choice, "provider");
    assert_eq!(back["reasoning_details"], details);
    assert_eq!(back["reasoning_content"], "hm");
    assert_eq!(back["tool_calls"][0]["extra_content"], signature);
    assert_eq!(back.get("clawless_origin"), None);
    let elsewhere = sent_back(choice, "other");
    let call = json!({"id": "c1", "type": "function",
        "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}});
    assert_eq!(
        elsewhere,
        json!({"role": "assistant", "content": null, "tool_calls": [call]})
    );
}

#[test]
fn streamed_unknown_members_keep_their_position() {
    let chunks = client_chunks(&[
        r#""delta":{"role":"assistant","content":"","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#,
        r#""delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","extra_content":{"google":{"thought_signature":"E"}},"function":{"name":"f","arguments":"{}"}}]}"#,
        r#""delta":{"tool_calls":[{"index":0,"late":1}]}"#,
        r#""delta":{},"finish_reason":"tool_calls""#,
    ]);
    let deltas: Vec<&Value> = chunks.iter().map(|it| &it["choices"][0]["delta"]).collect();
    assert_eq!(deltas[0]["role"], "assistant");
    assert_eq!(deltas[1]["reasoning_details"][0]["text"], "a");
    let start = &deltas[2]["tool_calls"][0];
    assert_eq!((&start["id"], &start["index"]), (&json!("c1"), &json!(0)));
    assert_eq!(start["extra_content"]["google"]["thought_signature"], "E");
    assert_eq!(start["function"]["name"], "f");
    let late = &deltas[4]["tool_calls"][0];
    assert_eq!((&late["late"], late.get("id")), (&json!(1), None));
    // SDKs need a function in each delta of a call.
    assert_eq!(late["function"]["arguments"], "");
}

#[test]
fn citations_annotations_and_images_pass_through() {
    let annotation = r#"{"type":"url_citation","url_citation":{"url":"https://example.com/a"}}"#;
    let cited = |members: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,{members}}}],\"citations\":[\"https://example.com/a\"],\"provider\":\"x\"}}\n\n"
        )
    };
    let stream = [
        cited(r#""delta":{"role":"assistant","content":"Paris[1]"}"#),
        chunk(&format!(r#""delta":{{"annotations":[{annotation}]}}"#)),
        cited(r#""delta":{},"finish_reason":"stop""#),
        DONE.to_owned(),
    ]
    .concat();
    let body = client_body(collect(&stream).expect("an answer"));
    assert_eq!(body["citations"], json!(["https://example.com/a"]));
    assert_eq!(
        body.get("provider"),
        None,
        "provider details are not returned"
    );
    let message = &body["choices"][0]["message"];
    assert_eq!(message["annotations"][0]["type"], "url_citation");

    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}, "index": 0});
    for message in [
        json!({"role": "assistant", "content": "", "images": [image]}),
        json!({"role": "assistant", "content": [image]}),
    ] {
        let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}});
        let answer = whole(&body.to_string()).expect("an answer");
        let seen = client_body(answer);
        assert_eq!(seen["choices"][0]["message"]["images"], json!([image]));
    }
}

#[test]
fn a_stored_choice_keeps_its_members() {
    let body = r#"{"choices":[{"message":{"content":"","reasoning_content":"hm","x":[1],"tool_calls":[
        {"id":"c1","function":{"name":"f","arguments":"{}"},"extra_content":{"a":1}}]},"finish_reason":"tool_calls"}]}"#;
    let choice = only(whole(body));
    let raw = choice.to_stored("provider/m").expect("JSON");
    let message = Message::from_stored(Role::Assistant, raw);
    let read = LlmChoice::from_stored(&message, choice.finish_reason).expect("readable");
    assert_eq!(read, choice);
}

#[test]
fn unknown_members_of_functions_and_choices_reach_the_client_and_the_session() {
    let call = json!({"index": 0, "id": "c1", "type": "function",
        "function": {"name": "f", "arguments": "{}", "thought_signature": "S"}});
    let message = json!({"role": "assistant", "content": "", "tool_calls": [call]});
    let more = r#""native_finish_reason":"STOP","content_filter_results":{"hate":{"filtered":false}},"stop_reason":null"#;
    let body = format!(
        r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"tool_calls",{more}}}]}}"#
    );
    let whole = whole(&body).expect("an answer");
    let last = format!(r#""delta":{{}},"finish_reason":"tool_calls",{more}"#);
    let chunks = [format!(r#""delta":{message},{more}"#), last];
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    assert_eq!(streamed(&chunks).expect("an answer").choices, whole.choices);

    let seen = &client_body(whole.clone())["choices"][0];
    assert_eq!(
        seen["message"]["tool_calls"][0]["function"],
        call["function"]
    );
    assert_eq!(seen["native_finish_reason"], "STOP");
    assert_eq!(seen["content_filter_results"]["hate"]["filtered"], false);
    assert_eq!(seen.get("stop_reason"), None);
    let seen = client_chunks(&chunks);
    let starts: Vec<&Value> = seen.iter().map(|it| &it["choices"][0]).collect();
    let function = &starts[1]["delta"]["tool_calls"][0]["function"];
    assert_eq!(
        (&function["name"], &function["thought_signature"]),
        (&json!("f"), &json!("S"))
    );
    let with_reason = starts
        .iter()
        .filter(|it| it["native_finish_reason"] == "STOP");
    assert_eq!(
        with_reason.count(),
        1,
        "repetitions are not sent: {starts:?}"
    );

    let choice = &whole.choices[0];
    let kept = stored(choice);
    assert_eq!(kept["tool_calls"][0]["function"]["thought_signature"], "S");
    assert_eq!(kept["clawless_choice"]["native_finish_reason"], "STOP");
    let raw = choice.to_stored("provider/m").expect("JSON");
    let message = Message::from_stored(Role::Assistant, raw);
    let read = LlmChoice::from_stored(&message, choice.finish_reason).expect("readable");
    assert_eq!(read, *choice);

    let back = sent_back(choice, "provider");
    assert_eq!(back["tool_calls"][0]["function"]["thought_signature"], "S");
    assert_eq!(back.get("clawless_choice"), None);
    let elsewhere = sent_back(choice, "other");
    assert_eq!(
        elsewhere["tool_calls"][0],
        json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}})
    );
}
