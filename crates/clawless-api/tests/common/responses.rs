//! Properties of the Responses surface that hold for every input. `tests/responses.rs` checks them
//! with random inputs, the fuzz targets (`fuzz/`) with millions.

#![allow(unreachable_pub, dead_code, reason = "a module of each test crate")]
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clawless_api::responses::{ResponsesRendering, StoredEcho, items_of, parse};
use clawless_api::surface::AnswerHead;
use clawless_core::chat::{FinishReason, Message};
use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmEvent, LlmResponse};
use clawless_core::members::Members;
use clawless_core::tool::CallForm;
use clawless_core::{ApiError, ErrorCode, Timestamp, Usage};
use serde_json::{Value, json};

/// A body is rejected with a status of a client's error, or parsed into messages that are valid for
/// the chat surface too.
pub fn check_parser(bytes: &[u8]) {
    let parsed = match parse(bytes, &[]) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(
                matches!(error.status(), 400 | 404),
                "{error}: {:?}",
                error.internal
            );
            assert!(error.internal.is_none(), "{:?}", error.internal);
            return;
        }
    };
    let request = parsed.request;
    assert!(request.turn.transient < request.messages.len());
    for message in &request.messages {
        Message::parse(message.raw().clone()).expect("a valid message");
        for item in items_of(message, "1_2").expect("a conversation lists every message") {
            serde_json::from_str::<Members>(&item.text).expect("JSON");
        }
    }
    let rendering = parsed.rendering;
    let stored = rendering
        .stored_echo(1, Some("hm"), Some(Timestamp::from_millis(2_500)))
        .to_json()
        .expect("JSON");
    let read = StoredEcho::read(&stored).expect("what was written");
    assert_eq!(&read.echo, rendering.echo());
    let object = rendering.body(head(), LlmResponse::default(), &[], None);
    let object: Value = serde_json::from_str(&object).expect("JSON");
    assert_eq!(object["status"], "completed");
}

/// The stream of an answer that consists of the events that `bytes` encode is well-formed.
pub fn check_writer(bytes: &[u8]) {
    let (&settings, script) = bytes.split_first().unwrap_or((&0, &[]));
    let events = events_of(script);
    let error = ApiError::new(ErrorCode::UpstreamError, "The provider failed.");
    let rendering = with_settings(settings);
    let (mut writer, mut stream) = (rendering.writer(head()), String::new());
    writer.event(&LlmEvent::Usage(Usage::default()), &mut stream);
    for event in &events {
        writer.event(event, &mut stream);
    }
    let is_failed = settings & 8 != 0;
    if is_failed {
        writer.fail(&error, &mut stream);
    } else {
        writer.set_completed(Some(Timestamp::from_millis(2_500)));
        writer.finish(Usage::new(3, 5), &mut stream);
    }
    check_stream(&stream, is_failed);
}

fn head() -> AnswerHead {
    AnswerHead {
        request: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        created: Timestamp::from_millis(1_000),
        completed: None,
        model: "m".to_owned(),
        origin: "p/m".to_owned(),
    }
}

/// The rendering of a request with the settings that the first three bits choose. Each is parsed
/// once: a fuzz target calls this for every input.
fn with_settings(settings: u8) -> ResponsesRendering {
    static PARSED: LazyLock<[ResponsesRendering; 8]> =
        LazyLock::new(|| [0, 1, 2, 3, 4, 5, 6, 7].map(parse_settings));
    PARSED[usize::from(settings & 7)].clone()
}

fn parse_settings(settings: u8) -> ResponsesRendering {
    let summary = if settings & 1 != 0 {
        r#""auto""#
    } else {
        "null"
    };
    let mut include = Vec::new();
    if settings & 2 != 0 {
        include.push("reasoning.encrypted_content");
    }
    if settings & 4 != 0 {
        include.push("message.output_text.logprobs");
    }
    let include = serde_json::to_string(&include).expect("JSON");
    let body = format!(
        r#"{{"model":"m","input":"hi","reasoning":{{"summary":{summary}}},"include":{include}}}"#
    );
    parse(body.as_bytes(), &[]).expect("valid").rendering
}

/// Two bytes make an event: its kind, and its value.
pub fn events_of(script: &[u8]) -> Vec<LlmEvent> {
    let json = |text: String| Json::parse(text).expect("JSON");
    let mut calls = 0;
    let mut events = Vec::new();
    for pair in script.chunks(2) {
        let value = pair.get(1).copied().unwrap_or(0);
        let text = ["", "a", "b\n\n", "\"}", "é😀", "data: x\r"][usize::from(value % 6)].to_owned();
        let form = if value & 64 == 0 {
            CallForm::Function
        } else {
            CallForm::Custom
        };
        let members = Members(vec![(
            ["x", "annotations", "id", "content"][usize::from(value % 4)].to_owned(),
            json(format!(r#"[{{"type":"t","t":{{"n":{value}}}}}]"#)),
        )]);
        let call = u32::from(value) % (calls + 1);
        let delta = match pair[0] % 15 {
            0 | 1 => Delta::Content(text),
            2 => Delta::Reasoning(text),
            3 => Delta::Refusal(text),
            4 => {
                calls += 1;
                Delta::ToolCallStart {
                    call: calls - 1,
                    id: format!("call_{value}"),
                    name: format!("tool{value}"),
                    form,
                    members,
                }
            }
            5 | 6 => Delta::ToolCallArguments {
                call,
                arguments: text,
                form,
            },
            7 => Delta::ToolCallMembers {
                call,
                form,
                members,
            },
            8 => Delta::Logprobs(json(format!(
                r#"{{"content":[{{"token":"t","logprob":-{value},"bytes":[],"top_logprobs":[]}}]}}"#
            ))),
            9 => Delta::ThinkingBlocks(json(format!(r#"[{{"signature":"{value}"}}]"#))),
            10 if value & 1 == 0 => Delta::Members(members),
            10 => {
                events.push(LlmEvent::Members(members));
                continue;
            }
            11 => Delta::TextEnd,
            12 => Delta::Citation(json(format!(r#"{{"cited_text":"{value}"}}"#))),
            13 => Delta::Block(json(format!(
                r#"{{"type":"t{value}","n":
1}}"#
            ))),
            _ => {
                let reasons = [
                    FinishReason::Stop,
                    FinishReason::Length,
                    FinishReason::ToolCalls,
                    FinishReason::ContentFilter,
                ];
                let reason = reasons[usize::from(value % 4)];
                events.push(LlmEvent::Finish { index: 0, reason });
                continue;
            }
        };
        let index = u32::from(value == 255);
        events.push(LlmEvent::Delta { index, delta });
    }
    events
}

/// An item as its events build it.
#[derive(Debug, Default)]
struct Built {
    /// The text of each part, by the kind of its deltas and its index.
    texts: BTreeMap<(String, u64), String>,
    parts_done: usize,
    added: Value,
    done: Option<Value>,
}

/// Checks a stream from its first event to its last.
pub fn check_stream(stream: &str, is_failed: bool) {
    let events = parse_events(stream);
    assert!(events.len() >= 3, "{stream}");
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(events[1]["type"], "response.in_progress");
    let mut items: Vec<Built> = Vec::new();
    let (last, middle) = events.split_last().expect("events");
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{stream}");
        let response = &event["response"];
        let is_complete = response["status"] == "completed";
        let completed = is_complete.then_some(2);
        assert_eq!(response["completed_at"], json!(completed), "{stream}");
    }
    for event in &middle[2..] {
        check_event(event, &mut items);
    }
    let terminal = last["type"].as_str().expect("a type");
    let response = &last["response"];
    let status = response["status"].as_str().expect("a status");
    assert_eq!(terminal, format!("response.{status}"));
    assert_eq!(status == "failed", is_failed);
    assert!(["completed", "incomplete", "failed"].contains(&status));
    assert_eq!(response["error"].is_null(), status != "failed");
    assert_eq!(
        response["incomplete_details"].is_null(),
        status != "incomplete"
    );
    if status != "failed" {
        assert_eq!(
            response["usage"]["output_tokens_details"]["reasoning_tokens"],
            0
        );
        assert_eq!(
            response["usage"]["input_tokens_details"]["cached_tokens"],
            0
        );
    }
    let output = response["output"].as_array().expect("items");
    assert_eq!(output.len(), items.len(), "{stream}");
    for (item, built) in output.iter().zip(&items) {
        check_item(item, built, status);
    }
}

fn check_event(event: &Value, items: &mut Vec<Built>) {
    let kind = event["type"].as_str().expect("a type");
    let position = event["output_index"].as_u64().expect("an index");
    let position = usize::try_from(position).expect("an index");
    if kind == "response.output_item.added" {
        assert_eq!(position, items.len(), "items are numbered in order");
        assert_eq!(event["item"]["status"], "in_progress");
        items.push(Built {
            added: event["item"].clone(),
            ..Built::default()
        });
        return;
    }
    let item = &mut items[position];
    assert!(
        item.done.is_none(),
        "nothing follows the end of an item: {event}"
    );
    if kind == "response.output_item.done" {
        item.done = Some(event["item"].clone());
        return;
    }
    assert_eq!(event["item_id"], item.added["id"]);
    let index = event["content_index"]
        .as_u64()
        .or(event["summary_index"].as_u64());
    let index = index.unwrap_or(0);
    let (of, phase) = kind.rsplit_once('.').expect("a phase");
    let key = (of.to_owned(), index);
    match phase {
        "added" => {
            let text = event["part"]["text"]
                .as_str()
                .or(event["part"]["refusal"].as_str());
            assert_eq!(text, Some(""), "a part begins empty");
        }
        "delta" => {
            let delta = event["delta"].as_str().expect("a delta");
            assert!(!delta.is_empty());
            item.texts.entry(key).or_default().push_str(delta);
        }
        "done" if of.ends_with("part") => item.parts_done += 1,
        "done" => {
            let names = ["text", "refusal", "arguments", "input"];
            let text = names.iter().find_map(|name| event[name].as_str());
            let built = item.texts.get(&key).map_or("", String::as_str);
            assert_eq!(text, Some(built), "the deltas are the text");
        }
        _ => panic!("unexpected event {kind}"),
    }
}

fn check_item(item: &Value, built: &Built, status: &str) {
    assert_eq!(item["id"], built.added["id"]);
    assert_eq!(item["type"], built.added["type"]);
    if let Some(done) = &built.done {
        assert_eq!(item, done, "the response repeats the done item");
    } else {
        let is_complete = status == "completed";
        assert!(!is_complete, "all items of a complete response are done");
        assert_eq!(item["status"], "incomplete");
    }
    if status == "completed" {
        assert_eq!(item["status"], "completed");
    }
    let mut texts: Vec<&str> = Vec::new();
    // A call may have a provider's members of these names.
    let is_call = item.get("call_id").is_some();
    let lists = if is_call {
        &[][..]
    } else {
        &["content", "summary"]
    };
    for &list in lists {
        for part in item[list].as_array().into_iter().flatten() {
            let text = part["text"].as_str().or(part["refusal"].as_str());
            texts.push(text.expect("a text"));
        }
    }
    texts.extend(item["arguments"].as_str().or(item["input"].as_str()));
    if built.done.is_some() && !is_call {
        assert_eq!(texts.len(), built.parts_done, "each part is done");
    }
    let mut built: Vec<&str> = built.texts.values().map(String::as_str).collect();
    texts.retain(|text| !text.is_empty());
    built.sort_unstable();
    texts.sort_unstable();
    assert_eq!(texts, built, "the deltas are the texts");
}

/// The events of a stream: an `event:` line, one `data:` line, an empty line.
fn parse_events(stream: &str) -> Vec<Value> {
    let blocks = stream.strip_suffix("\n\n").expect("a complete stream");
    let events = blocks.split("\n\n").map(|block| {
        let (event, data) = block.split_once('\n').expect("two lines");
        let name = event.strip_prefix("event: ").expect("a name");
        let data = data.strip_prefix("data: ").expect("data");
        assert!(!data.contains(['\n', '\r']), "one line");
        let value: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(value["type"], name);
        value
    });
    events.collect()
}
