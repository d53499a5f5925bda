use clawless_core::{ErrorCode, Timestamp};
use serde_json::{Value, json};

use clawless_core::llm::Delta;
use clawless_core::tool::CallForm;

use super::*;

fn writer(settings: &str) -> Box<ResponseWriter> {
    let body = format!(r#"{{"model":"m","input":"hi"{settings}}}"#);
    let parsed = crate::responses::parse(body.as_bytes(), &[]).expect("valid");
    parsed.rendering.writer(AnswerHead {
        request: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        created: Timestamp::from_millis(7_000),
        completed: None,
        model: "m".to_owned(),
        origin: "p/m".to_owned(),
    })
}

/// The stream of an answer that consists of these events.
fn stream(settings: &str, events: &[LlmEvent], failure: Option<&ApiError>) -> String {
    let (mut writer, mut out) = (writer(settings), String::new());
    for event in events {
        writer.event(event, &mut out);
    }
    match failure {
        None => {
            writer.set_completed(Some(Timestamp::from_millis(9_900)));
            writer.finish(Usage::new(3, 2), &mut out);
        }
        Some(error) => writer.fail(error, &mut out),
    }
    // Short ids, for readable tests.
    out.replace("01ARZ3NDEKTSV4RRFFQ69G5FAV", "1")
}

/// The last response of the stream.
fn response(settings: &str, answer: &[LlmEvent]) -> Value {
    let events = events(&stream(settings, answer, None));
    events.last().expect("an end")["response"].clone()
}

fn delta(delta: Delta) -> LlmEvent {
    LlmEvent::Delta { index: 0, delta }
}

fn finish(reason: FinishReason) -> LlmEvent {
    LlmEvent::Finish { index: 0, reason }
}

fn call(call: u32, id: &str, members: Members) -> LlmEvent {
    delta(Delta::ToolCallStart {
        call,
        id: id.to_owned(),
        name: "read".to_owned(),
        form: CallForm::Function,
        members,
    })
}

fn arguments(call: u32, text: &str) -> LlmEvent {
    delta(Delta::ToolCallArguments {
        call,
        arguments: text.to_owned(),
        form: CallForm::Function,
    })
}

/// The events of a stream, without the responses in them.
fn events(stream: &str) -> Vec<Value> {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let events = data.map(|data| serde_json::from_str(data).expect("JSON"));
    events.collect()
}

fn kinds(stream: &str) -> Vec<String> {
    let kinds = events(stream).into_iter();
    let kinds = kinds.map(|event| event["type"].as_str().expect("a type").to_owned());
    kinds.collect()
}

#[test]
fn a_text_has_every_event_in_order() {
    let answer = [
        delta(Delta::Content("Hel".to_owned())),
        delta(Delta::Content("lo".to_owned())),
        finish(FinishReason::Stop),
    ];
    let stream = stream("", &answer, None);
    assert_eq!(
        kinds(&stream),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let events = events(&stream);
    assert_eq!(
        events[4],
        json!({"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1_0",
            "output_index":0,"content_index":0,"delta":"Hel","logprobs":[]})
    );
    let response = &events[9]["response"];
    assert_eq!(
        response["output"],
        json!([{"id":"msg_1_0","type":"message","status":"completed","role":"assistant",
            "content":[{"type":"output_text","text":"Hello","annotations":[],"logprobs":[]}]}])
    );
    assert_eq!(
        response["usage"],
        json!({"input_tokens":3,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},
            "output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5})
    );
    assert_eq!(
        (&response["id"], &response["created_at"]),
        (&json!("resp_1"), &json!(7))
    );
}

#[test]
fn reasoning_ends_before_the_text_and_the_text_before_the_calls() {
    let answer = [
        delta(Delta::Reasoning("hm".to_owned())),
        delta(Delta::Content("ok".to_owned())),
        call(0, "c0", Members::default()),
        call(1, "c1", Members::default()),
        arguments(1, "{}"),
        arguments(0, "[]"),
        finish(FinishReason::ToolCalls),
    ];
    let stream = stream(r#","reasoning":{"summary":"auto"}"#, &answer, None);
    assert_eq!(
        kinds(&stream)[2..],
        [
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let text = response("", &answer);
    assert_eq!(
        text["output"][0],
        json!({"id":"rs_1_0","type":"reasoning","summary":[],"status":"completed",
            "content":[{"type":"reasoning_text","text":"hm"}]})
    );
    assert_eq!(
        text["output"][2],
        json!({"id":"fc_1_0","type":"function_call","status":"completed","arguments":"[]",
            "call_id":"c0","name":"read"})
    );
}

#[test]
fn half_a_call_is_never_done() {
    let answer = [call(0, "c0", Members::default()), arguments(0, "{\"pa")];
    let error = ApiError::new(ErrorCode::UpstreamError, "The provider failed.");
    let mut cut = answer.to_vec();
    cut.push(finish(FinishReason::Length));
    let cases = [
        (stream("", &answer, Some(&error)), "response.failed"),
        (stream("", &cut, None), "response.incomplete"),
    ];
    for (stream, last) in cases {
        let kinds = kinds(&stream);
        assert_eq!(kinds.last().map(String::as_str), Some(last));
        assert!(!stream.contains(".done"), "{stream}");
        let events = events(&stream);
        let response = &events.last().expect("an end")["response"];
        assert_eq!(response["output"][0]["status"], "incomplete");
    }
}

#[test]
fn failure_before_the_answer_is_an_error_without_a_response() {
    let error = ApiError::new(ErrorCode::UpstreamTimeout, "Too slow.");
    let (mut out, mut writer) = (String::new(), writer(""));
    writer.fail(&error, &mut out);
    let events = events(&out);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "error");
    assert_eq!(events[0]["code"], "upstream_timeout");
    assert_eq!(events[0]["sequence_number"], 0);
}

#[test]
fn reasons_of_an_incomplete_response_have_their_own_names() {
    for (reason, name) in [
        (FinishReason::Length, "max_output_tokens"),
        (FinishReason::ContentFilter, "content_filter"),
    ] {
        let answer = [delta(Delta::Content("x".to_owned())), finish(reason)];
        let object = response("", &answer);
        assert_eq!(object["status"], "incomplete");
        assert_eq!(object["incomplete_details"]["reason"], name);
    }
}

#[test]
fn what_the_provider_needs_back_is_returned_on_request() {
    let json = |text: &str| Json::parse(text.to_owned()).expect("JSON");
    let member = |name: &str, text: &str| Members(vec![(name.to_owned(), json(text))]);
    let answer = [
        delta(Delta::Reasoning("hm".to_owned())),
        call(0, "c0", member("extra", r#"{"sig":"E"}"#)),
        arguments(0, "{}"),
        delta(Delta::ThinkingBlocks(json(r#"[{"signature":"S"}]"#))),
        delta(Delta::Members(member("reasoning_details", "[1]"))),
        finish(FinishReason::ToolCalls),
    ];
    let settings = r#","store":false,"include":["reasoning.encrypted_content"]"#;
    let object = response(settings, &answer);
    let output = object["output"].clone();
    let input =
        json!([output[0], output[1], {"type":"function_call_output","call_id":"c0","output":"1"}]);
    let body = json!({"model":"m","input":input}).to_string();
    let request = crate::responses::parse(body.as_bytes(), &[]).expect("valid");
    let returned: Value = request.request.messages[0].raw().read().expect("JSON");
    assert_eq!(
        returned,
        json!({"role":"assistant","content":null,"reasoning_content":"hm",
            "thinking_blocks":[{"signature":"S"}],
            "tool_calls":[{"id":"c0","type":"function","extra":{"sig":"E"},
                "function":{"name":"read","arguments":"{}"}}],
            "reasoning_details":[1],"clawless_origin":"p/m"})
    );
    let without = response("", &answer).to_string();
    assert!(!without.contains("encrypted_content"));
}

#[test]
fn annotations_and_log_probabilities_belong_to_the_text() {
    let json = |text: &str| Json::parse(text.to_owned()).expect("JSON");
    let annotations = r#"[{"type":"url_citation","url_citation":{"url":"https://x","start_index":0,"end_index":1,"title":"t"}}]"#;
    let answer = [
        delta(Delta::Content("x".to_owned())),
        delta(Delta::Logprobs(json(r#"{"content":[{"token":"x"}]}"#))),
        delta(Delta::Members(Members(vec![
            ("annotations".to_owned(), json(annotations)),
            ("images".to_owned(), json("[]")),
        ]))),
        LlmEvent::Members(Members(vec![("citations".to_owned(), json("[2]"))])),
        finish(FinishReason::Stop),
    ];
    let settings = r#","include":["message.output_text.logprobs"]"#;
    let object = response(settings, &answer);
    let message = &object["output"][0];
    assert_eq!(
        message["content"][0],
        json!({"type":"output_text","text":"x","logprobs":[{"token":"x"}],
            "annotations":[{"type":"url_citation","url":"https://x","start_index":0,"end_index":1,"title":"t"}]})
    );
    assert_eq!(
        (&message["images"], &object["citations"]),
        (&json!([]), &json!([2]))
    );
    let without = response("", &answer).to_string();
    assert!(without.contains(r#""logprobs":[]"#));
}

#[test]
fn only_a_complete_response_has_a_completion_time() {
    let text = || delta(Delta::Content("a".to_owned()));
    let completed = |answer: &[LlmEvent]| response("", answer)["completed_at"].clone();
    assert_eq!(completed(&[text(), finish(FinishReason::Stop)]), 9);
    assert_eq!(
        completed(&[text(), finish(FinishReason::Length)]),
        Value::Null
    );
    let error = ApiError::new(ErrorCode::UpstreamError, "The provider failed.");
    let failed = events(&stream("", &[text()], Some(&error)));
    assert!(
        failed
            .iter()
            .all(|event| event["response"]["completed_at"].is_null())
    );
}
