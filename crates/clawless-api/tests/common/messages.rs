//! Properties of the messages surface that hold for every request body and every answer. The fuzz
//! targets (`fuzz/`) check them with millions of inputs, and tests with the stored corpus.

#![allow(unreachable_pub, dead_code, reason = "a module of each test crate")]
#![allow(missing_docs, clippy::missing_panics_doc, reason = "tests")]

use clawless_api::messages::{Headers, MessageWriter, parse};
use clawless_api::responses::items_of;
use clawless_api::surface::AnswerHead;
use clawless_core::json::Json;
use clawless_core::llm::{ClientText, Delta, LlmEvent, Signature};
use clawless_core::members::Members;
use clawless_core::tool::CallForm;
use clawless_core::{ApiError, ErrorCode, FinishReason, Role, Timestamp, Usage};
use serde_json::Value;

/// A request is rejected with a 400, or parsed into messages that every wire can read.
pub fn check_request(body: &[u8]) {
    let headers = Headers {
        version: Some("2023-06-01"),
        beta: None,
    };
    let parsed = match parse(&headers, body) {
        Ok(parsed) => parsed,
        Err(error) => return assert_eq!(error.status(), 400, "{error}"),
    };
    let request = parsed.request;
    assert!(!request.messages.is_empty());
    let text = std::str::from_utf8(body).expect("UTF-8");
    for message in &request.messages {
        let view = message.view().expect("a view");
        assert_eq!(view.role, message.role());
        let items = items_of(message, "1_2").expect("a conversation lists every message");
        for item in items {
            serde_json::from_str::<Members>(&item.text).expect("JSON");
        }
        if let Some(blocks) = message.blocks() {
            assert!(!blocks.is_empty());
            for block in &blocks {
                assert!(text.contains(block.as_str()), "blocks keep their bytes");
            }
            let is_result = message.role() == Role::Tool;
            assert_eq!(is_result, view.tool_call_id.is_some());
        }
        if let Ok(Some(chat)) = message.to_chat_form() {
            let chat = chat.view().expect("a view");
            assert_eq!(chat.role, message.role());
        }
    }
    for name in &parsed.ignored {
        assert!(
            name.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{name}"
        );
    }
}

/// An answer of any events is written as a well-formed stream with exactly one end. Each byte is an
/// event, so that a fuzzer can mutate them.
pub fn check_script(script: &[u8]) {
    let (failing, script) = script
        .split_first()
        .map_or((false, script), |(first, rest)| (first % 2 == 1, rest));
    let mut started = 0;
    let events: Vec<LlmEvent> = script
        .iter()
        .map(|byte| event(*byte, &mut started))
        .collect();
    check_events(
        &events,
        failing
            .then(|| ApiError::new(ErrorCode::UpstreamError, "cut"))
            .as_ref(),
    );
}

/// The event of a byte: its low bits are the kind, its high bits the detail. Calls are numbered.
fn event(byte: u8, started: &mut u32) -> LlmEvent {
    let detail = byte >> 4;
    let texts = [
        "", "a", "\n", "\"", "{", "}", "[", "]", "\\", ":", "1", "{}", "{\"a\":", "}x", "\u{e9}",
        "data: ",
    ];
    let text = texts[usize::from(detail)].to_owned();
    let json = |text: &str| Json::parse(text.to_owned()).expect("JSON");
    let delta = match byte & 0xf {
        0..=2 => Delta::Content(text),
        3 | 4 => Delta::Reasoning(text),
        5 => Delta::Refusal(text),
        6 => Delta::ThinkingBlock(json(
            r#"{"type":"thinking","thinking":"a","signature":"s"}"#,
        )),
        7 => Delta::ThinkingBlock(json("{\"type\":\n\"redacted_thinking\",\"data\":\"x\"}")),
        8 if detail == 15 => Delta::TextEnd,
        8 if detail == 14 => Delta::Citation(json("{\"cited_text\":\n\"a\"}")),
        8 if detail == 13 => Delta::Block(json("{\"type\":\n\"server_tool_use\",\"input\":{}}")),
        8 | 9 => {
            *started += 1;
            Delta::ToolCallStart {
                call: *started - 1,
                id: format!("toolu_{started}"),
                name: "f".to_owned(),
                form: CallForm::Function,
                members: Members::default(),
            }
        }
        10..=13 => Delta::ToolCallArguments {
            call: u32::from(detail) % (*started).max(1),
            arguments: text,
            form: CallForm::Function,
        },
        14 => {
            let stop = Members(vec![("stop_reason".to_owned(), json("\"a\""))]);
            Delta::ChoiceMembers(stop)
        }
        _ => {
            let reasons = [
                FinishReason::Stop,
                FinishReason::Length,
                FinishReason::ToolCalls,
                FinishReason::ContentFilter,
            ];
            let reason = reasons[usize::from(detail) % reasons.len()];
            return LlmEvent::Finish { index: 0, reason };
        }
    };
    LlmEvent::Delta { index: 0, delta }
}

/// Writes these events and an end, and checks the stream: the order of its events, one block after
/// another, indexes without a gap, one end. No text is lost unless the stream says that it broke.
pub fn check_events(events: &[LlmEvent], failure: Option<&ApiError>) {
    let head = AnswerHead {
        request: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        created: Timestamp::default(),
        completed: None,
        model: "m".to_owned(),
        origin: "p/m".to_owned(),
    };
    let writer = MessageWriter::new(head, vec!["a".to_owned()]);
    let stream = whole(writer, events, failure);
    let mut read = Stream::default();
    for event in stream.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').expect("two lines");
        let json = data.strip_prefix("data: ").expect("data");
        assert!(!json.contains(['\n', '\r']), "a line is broken: {json}");
        let event: Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(name.strip_prefix("event: "), event["type"].as_str());
        read.event(&event);
    }
    assert_eq!(read.ends, 1, "one end: {stream}");
    if failure.is_some() {
        assert!(!read.is_complete);
    } else if read.is_complete {
        let sent = events.iter().map(text_of).map(str::len).sum::<usize>();
        assert_eq!(read.text_bytes, sent, "{stream}");
    }
}

fn whole(mut writer: MessageWriter, events: &[LlmEvent], failure: Option<&ApiError>) -> String {
    let mut out = String::new();
    for event in events {
        writer.event(event, &mut out);
    }
    match failure {
        Some(error) => writer.fail(error, &mut out),
        None => writer.finish(Usage::new(1, 1), &mut out),
    }
    out
}

/// The text that a client of this surface gets of an event.
fn text_of(event: &LlmEvent) -> &str {
    match event {
        LlmEvent::Delta { index: 0, delta } => match delta {
            Delta::Content(text) | Delta::Reasoning(text) | Delta::Refusal(text) => text,
            Delta::ToolCallArguments { arguments, .. } if !arguments.trim().is_empty() => arguments,
            _ => "",
        },
        _ => "",
    }
}

/// A client that reads a stream.
#[derive(Default)]
struct Stream {
    has_begun: bool,
    blocks: u64,
    open: Option<u64>,
    has_delta: bool,
    ends: usize,
    is_complete: bool,
    text_bytes: usize,
}

impl Stream {
    fn event(&mut self, event: &Value) {
        assert_eq!(self.ends, 0, "nothing follows the end");
        let index = event["index"].as_u64();
        match event["type"].as_str().expect("a type") {
            "ping" => {}
            "message_start" => assert!(!std::mem::replace(&mut self.has_begun, true)),
            "content_block_start" => {
                assert!(self.has_begun && self.open.is_none() && index == Some(self.blocks));
                self.blocks += 1;
                let block = &event["content_block"];
                let is_whole = ["redacted_thinking", "server_tool_use"]
                    .contains(&block["type"].as_str().expect("a type"))
                    || block["signature"]
                        .as_str()
                        .is_some_and(|it| Signature::parse(it).is_some());
                assert!(
                    is_whole
                        || block["text"] == ""
                        || block["thinking"] == ""
                        || block["input"].is_object()
                );
                self.open = index;
            }
            "content_block_delta" => {
                assert!(index.is_some() && index == self.open);
                let delta = &event["delta"];
                let texts = ["text", "thinking", "partial_json"];
                let texts = texts.iter().filter_map(|name| delta[*name].as_str());
                let is_blank =
                    |text: &str| delta["partial_json"].is_string() && text.trim().is_empty();
                self.text_bytes += texts
                    .filter(|text| !is_blank(text))
                    .map(str::len)
                    .sum::<usize>();
            }
            "content_block_stop" => assert!(index.is_some() && self.open.take() == index),
            "message_delta" => {
                assert!(self.open.is_none() && !std::mem::replace(&mut self.has_delta, true));
                assert!(event["delta"]["stop_reason"].is_string());
                assert!(event["usage"]["output_tokens"].is_u64());
            }
            "message_stop" => {
                assert!(self.has_begun && self.has_delta);
                self.ends += 1;
                self.is_complete = true;
            }
            "error" => {
                assert!(!self.has_delta, "a broken answer has no stop reason");
                self.ends += 1;
            }
            other => panic!("{other}"),
        }
    }
}
