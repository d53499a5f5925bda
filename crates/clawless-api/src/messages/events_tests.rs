use clawless_core::json::Json;
use clawless_core::llm::{CarriedMembers, ClientText, Signature};
use clawless_core::tool::CallForm;
use clawless_core::{FinishReason, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn head() -> AnswerHead {
    AnswerHead {
        request: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        created: Timestamp::default(),
        completed: None,
        model: "m".to_owned(),
        origin: "p/m".to_owned(),
    }
}

fn writer() -> MessageWriter {
    MessageWriter::new(head(), vec!["END".to_owned()])
}

fn delta(delta: Delta) -> LlmEvent {
    LlmEvent::Delta { index: 0, delta }
}

fn content(text: &str) -> LlmEvent {
    delta(Delta::Content(text.to_owned()))
}

fn start(call: u32, name: &str) -> LlmEvent {
    delta(Delta::ToolCallStart {
        call,
        id: format!("toolu_{call}"),
        name: name.to_owned(),
        form: CallForm::Function,
        members: Members::default(),
    })
}

fn arguments(call: u32, text: &str) -> LlmEvent {
    delta(Delta::ToolCallArguments {
        call,
        arguments: text.to_owned(),
        form: CallForm::Function,
    })
}

fn finish(reason: FinishReason) -> LlmEvent {
    LlmEvent::Finish { index: 0, reason }
}

/// A signature as clients get it.
fn named(signature: &str) -> String {
    let (origin, signature) = ("p/m".to_owned(), signature.to_owned());
    Signature { origin, signature }.to_text()
}

fn json_of(text: &str) -> Json {
    Json::parse(text.to_owned()).expect("JSON")
}

/// The events of a stream. Each has a name that is its type.
fn parse(stream: &str) -> Vec<Value> {
    let events = stream.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').expect("two lines");
        let data: Value =
            serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
        let name = name.strip_prefix("event: ").expect("a name");
        assert_eq!(data["type"], name);
        data
    });
    events.filter(|event| event["type"] != "ping").collect()
}

/// The message that a client puts together, as the SDKs do. Checks the order of events and indexes.
fn assemble(stream: &str) -> Result<Value, Value> {
    let mut events = parse(stream).into_iter();
    let mut message = match events.next() {
        Some(event) if event["type"] == "message_start" => event["message"].clone(),
        Some(event) => return Err(event["error"].clone()),
        None => panic!("an empty stream"),
    };
    let mut blocks: Vec<(Value, String)> = Vec::new();
    let mut is_open = false;
    while let Some(event) = events.next() {
        let index = event["index"]
            .as_u64()
            .and_then(|it| usize::try_from(it).ok());
        match event["type"].as_str().expect("a type") {
            "content_block_start" => {
                assert!(!is_open && index == Some(blocks.len()), "{event}");
                is_open = true;
                blocks.push((event["content_block"].clone(), String::new()));
            }
            "content_block_delta" => {
                assert!(is_open && index == Some(blocks.len() - 1), "{event}");
                let (block, input) = blocks.last_mut().expect("a block");
                let delta = &event["delta"];
                let (member, kind) = match delta["type"].as_str().expect("a type") {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("signature", "thinking"),
                    "input_json_delta" => {
                        assert_eq!(block["type"], "tool_use");
                        *input += delta["partial_json"].as_str().expect("a text");
                        continue;
                    }
                    "citations_delta" => {
                        assert_eq!(block["type"], "text");
                        let citations = block["citations"].as_array().cloned();
                        let mut citations = citations.unwrap_or_default();
                        citations.push(delta["citation"].clone());
                        block["citations"] = Value::from(citations);
                        continue;
                    }
                    other => panic!("{other}"),
                };
                assert_eq!(block["type"], kind);
                let known = block[member].as_str().expect("a text").to_owned();
                block[member] = Value::from(known + delta[member].as_str().expect("a text"));
            }
            "content_block_stop" => {
                assert!(is_open && index == Some(blocks.len() - 1), "{event}");
                is_open = false;
            }
            "message_delta" => {
                assert!(!is_open);
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                for name in ["stop_details", "container"] {
                    assert_eq!(event["delta"].get(name), Some(&Value::Null));
                }
                message["usage"] = event["usage"].clone();
                assert_eq!(events.next().expect("the end")["type"], "message_stop");
                assert_eq!(events.next(), None, "one terminal event");
                let blocks = blocks.into_iter().map(|(mut block, input)| {
                    if !input.is_empty() {
                        block["input"] =
                            serde_json::from_str(&input).unwrap_or_else(|_| input.into());
                    }
                    block
                });
                message["content"] = blocks.collect();
                return Ok(message);
            }
            "error" => {
                assert_eq!(events.next(), None, "one terminal event");
                return Err(event["error"].clone());
            }
            other => panic!("{other}"),
        }
    }
    panic!("a stream without an end")
}

fn whole(events: &[LlmEvent]) -> Result<Value, Value> {
    let mut out = String::new();
    let mut writer = writer();
    for event in events {
        writer.event(event, &mut out);
    }
    writer.finish(Usage::new(3, 2), &mut out);
    assemble(&out)
}

#[test]
fn blocks_follow_each_other_and_the_end_has_reason_and_usage() {
    let message = whole(&[
        delta(Delta::Reasoning("hm".to_owned())),
        delta(Delta::ThinkingBlock(json_of(
            r#"{"type":"thinking","thinking":"hm","signature":"s"}"#,
        ))),
        delta(Delta::ThinkingBlock(json_of(
            r#"{"type":"redacted_thinking","data":"x","signed_by":"m"}"#,
        ))),
        content("a"),
        content("b"),
        start(0, "f"),
        arguments(0, r#"{"a":"#),
        arguments(0, "1}"),
        start(1, "g"),
        arguments(1, "{}"),
        finish(FinishReason::ToolCalls),
    ]);
    assert_eq!(
        message.expect("complete"),
        json!({
            "id": "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV", "type": "message", "role": "assistant", "model": "m",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": named("s")},
                {"type": "redacted_thinking", "data": named("x")},
                {"type": "text", "text": "ab"},
                {"type": "tool_use", "id": "toolu_0", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "toolu_1", "name": "g", "input": {}},
            ],
            "stop_reason": "tool_use", "stop_sequence": null, "stop_details": null, "container": null,
            "diagnostics": null,
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                "output_tokens": 2, "output_tokens_details": null, "cache_creation": null,
                "inference_geo": null, "server_tool_use": null, "service_tier": null, "speed": null},
        })
    );
}

#[test]
fn sources_and_blocks_of_other_types_are_in_their_places() {
    let message = whole(&[
        content("As they say, "),
        delta(Delta::TextEnd),
        content("water is wet"),
        delta(Delta::Citation(json_of(r#"{"cited_text":"Wet."}"#))),
        delta(Delta::TextEnd),
        delta(Delta::Block(json_of(
            "{\"type\":\"server_tool_use\",\n\"id\":\"s\"}",
        ))),
        delta(Delta::Citation(json_of(r#"{"cited_text":"alone"}"#))),
        content("."),
        delta(Delta::ChoiceMembers(Members(vec![(
            "native_finish_reason".to_owned(),
            json_of(r#""pause_turn""#),
        )]))),
        finish(FinishReason::Length),
    ]);
    let message = message.expect("complete");
    assert_eq!(message["stop_reason"], "pause_turn");
    assert_eq!(
        message["content"],
        json!([
            {"type": "text", "text": "As they say, "},
            {"type": "text", "text": "water is wet", "citations": [{"cited_text": "Wet."}]},
            {"type": "server_tool_use", "id": "s"},
            {"type": "text", "text": ".", "citations": [{"cited_text": "alone"}]},
        ])
    );
}

#[test]
fn the_providers_own_members_are_in_a_block_that_clients_return() {
    let members = |text: &str| -> Members { serde_json::from_str(text).expect("JSON") };
    let of_message = |text: &str| delta(Delta::Members(members(text)));
    let call = |number: u32, of_call: &str| {
        delta(Delta::ToolCallStart {
            call: number,
            id: format!("toolu_{number}"),
            name: "f".to_owned(),
            form: CallForm::Function,
            members: members(of_call),
        })
    };
    let late = delta(Delta::ToolCallMembers {
        call: 1,
        form: CallForm::Function,
        members: members(r#"{"x":1}"#),
    });
    let message = whole(&[
        delta(Delta::Reasoning("hm".to_owned())),
        of_message(
            r#"{"reasoning_details":[{"type":"a","index":0,"text":"h"}],"annotations":[1]}"#,
        ),
        of_message(r#"{"reasoning_details":[{"type":"a","index":0,"text":"m"}],"empty":null}"#),
        call(
            0,
            r#"{"extra_content":{"google":{"thought_signature":"S"}}}"#,
        ),
        arguments(0, "{}"),
        call(1, "{}"),
        arguments(1, "{}"),
        late,
        finish(FinishReason::ToolCalls),
    ])
    .expect("complete");
    let content = message["content"].as_array().expect("blocks");
    let types: Vec<_> = content
        .iter()
        .map(|it| it["type"].as_str().expect("a type"))
        .collect();
    let redacted = "redacted_thinking";
    assert_eq!(
        types,
        ["thinking", redacted, "tool_use", "tool_use", redacted]
    );
    let carried = |position: usize| {
        let data = content[position]["data"].as_str().expect("data");
        let members = CarriedMembers::parse(data).expect("members");
        serde_json::to_value(members).expect("JSON")
    };
    assert_eq!(
        carried(1),
        json!({
            "origin": "p/m",
            "members": {"reasoning_details": [{"type": "a", "index": 0, "text": "hm"}]},
            "calls": [{"id": "toolu_0", "members": {"extra_content": {"google": {"thought_signature": "S"}}}}],
        })
    );
    let late = json!({"origin": "p/m", "calls": [{"id": "toolu_1", "members": {"x": 1}}]});
    assert_eq!(carried(4), late);
}

#[test]
fn stop_reasons_have_anthropics_names() {
    let stopped = |text: &str| {
        let members = Members(vec![("stop_reason".to_owned(), json_of(text))]);
        delta(Delta::ChoiceMembers(members))
    };
    let refusal = delta(Delta::Refusal("no".to_owned()));
    for (events, reason, sequence) in [
        (vec![finish(FinishReason::Stop)], "end_turn", None),
        (vec![finish(FinishReason::Length)], "max_tokens", None),
        (vec![finish(FinishReason::ContentFilter)], "refusal", None),
        (vec![refusal, finish(FinishReason::Stop)], "refusal", None),
        (
            vec![
                start(0, "f"),
                arguments(0, "{}"),
                finish(FinishReason::Stop),
            ],
            "tool_use",
            None,
        ),
        (
            vec![stopped(r#""END""#), finish(FinishReason::Stop)],
            "stop_sequence",
            Some("END"),
        ),
        (
            vec![stopped(r#""other""#), finish(FinishReason::Stop)],
            "end_turn",
            None,
        ),
        (
            vec![stopped("7"), finish(FinishReason::Stop)],
            "end_turn",
            None,
        ),
    ] {
        let message = whole(&events).expect("complete");
        assert_eq!(message["stop_reason"], reason, "{events:?}");
        assert_eq!(message["stop_sequence"].as_str(), sequence);
    }
}

#[test]
fn a_failed_answer_ends_with_an_error_and_no_stop() {
    let error = ApiError::new(ErrorCode::UpstreamOverloaded, "busy").with_internal("secret");
    for events in [vec![], vec![content("a")]] {
        let mut out = String::new();
        let mut writer = writer();
        for event in &events {
            writer.event(event, &mut out);
        }
        writer.fail(&error, &mut out);
        let failure = assemble(&out).expect_err("an error");
        assert_eq!(
            failure,
            json!({"type": "overloaded_error", "message": "busy"})
        );
        assert!(!out.contains("message_stop") && !out.contains("secret"));
    }
}

#[test]
fn arguments_after_their_block_never_look_complete() {
    let events = [
        start(0, "f"),
        arguments(0, "{}"),
        start(1, "g"),
        arguments(0, "x"),
        arguments(1, "{}"),
        finish(FinishReason::ToolCalls),
    ];
    let failure = whole(&events).expect_err("an error");
    assert_eq!(failure["type"], "api_error");
}

/// A block of a model's answer, and the pieces in which a provider sends it.
#[derive(Debug, Clone)]
enum Said {
    Text(Vec<String>),
    Thought(Vec<String>, bool),
    Sealed,
    /// Calls whose arguments arrive in turns.
    Calls(Vec<Vec<String>>),
}

fn said() -> impl Strategy<Value = Said> {
    let texts = || prop::collection::vec("[a-z\\n\"\\\\\u{e9}]{0,4}", 0..4);
    let call = prop::collection::vec("[a-z{}\\[\\]\"\\\\]{0,5}", 0..4);
    prop_oneof![
        texts().prop_map(Said::Text),
        (texts(), any::<bool>()).prop_map(|(texts, signed)| Said::Thought(texts, signed)),
        Just(Said::Sealed),
        prop::collection::vec(call, 1..4).prop_map(Said::Calls),
    ]
}

/// The pieces of the JSON object `{"x": text}`, split where the text was.
fn object(pieces: &[String]) -> Vec<String> {
    let quoted = pieces.iter().map(|piece| {
        let json = serde_json::to_string(piece).expect("JSON");
        json[1..json.len() - 1].to_owned()
    });
    let mut all = vec![r#"{"x":""#.to_owned()];
    all.extend(quoted);
    all.push("\"}".to_owned());
    all
}

/// The events of an answer, and the content blocks that a client should see.
fn script(answer: &[Said]) -> (Vec<LlmEvent>, Vec<Value>) {
    let (mut events, mut expected): (Vec<LlmEvent>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut number = 0;
    for said in answer {
        match said {
            Said::Text(pieces) => {
                events.extend(pieces.iter().map(|it| content(it)));
                let text: String = pieces.concat();
                match expected.last_mut() {
                    _ if text.is_empty() => {}
                    Some(last) if last["type"] == "text" => {
                        let known = last["text"].as_str().expect("a text").to_owned();
                        last["text"] = Value::from(known + &text);
                    }
                    _ => expected.push(json!({"type": "text", "text": text})),
                }
            }
            Said::Thought(pieces, is_signed) => {
                let text: String = pieces.concat();
                if text.is_empty() {
                    continue;
                }
                let pieces = pieces.iter().map(|it| delta(Delta::Reasoning(it.clone())));
                events.extend(pieces);
                let signature = if *is_signed { "s" } else { "" };
                let mut block =
                    json!({"type": "thinking", "thinking": text, "signature": signature});
                if *is_signed {
                    events.push(delta(Delta::ThinkingBlock(json_of(&block.to_string()))));
                    block["signature"] = Value::from(named(signature));
                }
                match expected.last_mut() {
                    Some(last) if last["type"] == "thinking" && last["signature"] == "" => {
                        let known = last["thinking"].as_str().expect("a text").to_owned();
                        last["thinking"] = Value::from(known + &text);
                        last["signature"] = block["signature"].clone();
                    }
                    _ => expected.push(block),
                }
            }
            Said::Sealed => {
                let block = json!({"type": "redacted_thinking", "data": "x"});
                events.push(delta(Delta::ThinkingBlock(json_of(&block.to_string()))));
                expected.push(json!({"type": "redacted_thinking", "data": named("x")}));
            }
            Said::Calls(calls) => {
                let first = number;
                let mut pieces: Vec<_> = calls.iter().map(|it| object(it).into_iter()).collect();
                for text in calls {
                    events.push(start(number, "f"));
                    let input = json!({"x": text.concat()});
                    let id = format!("toolu_{number}");
                    expected
                        .push(json!({"type": "tool_use", "id": id, "name": "f", "input": input}));
                    number += 1;
                }
                while !pieces.iter().all(|rest| rest.len() == 0) {
                    for (call, rest) in (first..).zip(&mut pieces) {
                        events.extend(rest.next().map(|piece| arguments(call, &piece)));
                    }
                }
            }
        }
    }
    (events, expected)
}

proptest! {
    #[test]
    fn every_answer_is_assembled_as_the_model_gave_it(answer in prop::collection::vec(said(), 0..6)) {
        let (mut events, expected) = script(&answer);
        events.push(finish(FinishReason::Stop));
        let message = whole(&events).expect("complete");
        prop_assert_eq!(&message["content"], &Value::from(expected));
    }

    #[test]
    fn a_cut_answer_has_one_end_which_is_an_error(
        answer in prop::collection::vec(said(), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (events, _) = script(&answer);
        let kept = if events.is_empty() { 0 } else { cut.index(events.len()) };
        let mut out = String::new();
        let mut writer = writer();
        for event in &events[..kept] {
            writer.event(event, &mut out);
        }
        writer.fail(&ApiError::new(ErrorCode::UpstreamError, "cut"), &mut out);
        prop_assert!(!out.contains("message_stop") && !out.contains("message_delta"));
        let events = parse(&out);
        prop_assert_eq!(&events.last().expect("an end")["error"]["message"], "cut");
        let ends = events.iter().filter(|it| it["type"] == "error").count();
        prop_assert_eq!(ends, 1);
    }
}
