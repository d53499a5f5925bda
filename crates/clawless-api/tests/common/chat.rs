//! Properties of the chat surface, of conversations and of stored messages that hold for every input.
//! `tests/chat.rs` checks them with random inputs, the fuzz targets (`fuzz/`) with millions.

#![allow(unreachable_pub, dead_code, reason = "a module of each test crate")]
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use clawless_api::chat::{ChatRendering, parse};
use clawless_api::responses::{items_of, parse_conversation};
use clawless_api::sessions::{parse_change, parse_new};
use clawless_api::surface::AnswerHead;
use clawless_core::chat::Message;
use clawless_core::llm::{Delta, LlmEvent};
use clawless_core::members::Members;
use clawless_core::{ApiError, ErrorCode, Timestamp, Usage};
use serde_json::Value;

/// A body is rejected with a status of a client's error, or parsed into messages that keep their bytes
/// and that conversations can list.
pub fn check_parser(bytes: &[u8]) {
    let request = match parse(bytes) {
        Ok(parsed) => parsed.request,
        Err(error) => return check_rejection(&error),
    };
    assert!(!request.messages.is_empty());
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    for message in &request.messages {
        assert!(text.contains(message.raw().as_str()), "the bytes are kept");
        Message::parse(message.raw().clone()).expect("a valid message");
        check_items(message);
    }
    let members = &request.options.extensions;
    for (position, (name, _)) in members.iter().enumerate() {
        let mut others = members[..position].iter();
        assert!(others.all(|(other, _)| other != name), "{name} twice");
    }
}

/// The body of a conversation or a session is rejected with a status of a client's error, or parsed
/// into settings that the storage accepts.
pub fn check_settings(bytes: &[u8]) {
    let now = Timestamp::from_millis(1_000_000);
    match parse_conversation(bytes) {
        Ok(labels) => check_labels(labels.iter().flatten()),
        Err(error) => check_rejection(&error),
    }
    match parse_new(bytes, now) {
        Ok((_, new)) => check_labels(&new.metadata),
        Err(error) => check_rejection(&error),
    }
    match parse_change(bytes, now) {
        Ok(change) => check_labels(change.metadata.iter().flatten()),
        Err(error) => check_rejection(&error),
    }
}

fn check_labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) {
    let labels: Vec<_> = labels.into_iter().collect();
    assert!(labels.len() <= 16);
    for (name, value) in labels {
        assert!(name.chars().count() <= 64 && value.chars().count() <= 512);
        assert!(!name.contains('\0') && !value.contains('\0'));
    }
}

fn check_rejection(error: &ApiError) {
    assert_eq!(error.status(), 400, "{error}");
    assert!(error.internal.is_none(), "{:?}", error.internal);
}

/// The items of a stored message, whichever surface has stored it, have unique ids and types.
pub fn check_items(message: &Message) {
    let items = items_of(message, "1_2").expect("items");
    for (position, item) in items.iter().enumerate() {
        // Members of the message may have numbers that no parser represents.
        let read: Members = serde_json::from_str(&item.text).expect("JSON");
        let text = |name| read.get(name).and_then(|it| it.read::<String>().ok());
        assert_eq!(text("id").as_ref(), Some(&item.id));
        assert!(text("type").is_some(), "{}", item.text);
        assert!(items[..position].iter().all(|other| other.id != item.id));
    }
}

/// The stream of an answer of these events is well-formed: JSON objects of one line, each choice
/// introduced once, and one end, which says whether the answer is complete.
pub fn check_writer(settings: u8, events: &[LlmEvent]) {
    let head = AnswerHead {
        request: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        created: Timestamp::from_millis(1_000),
        completed: None,
        model: "m".to_owned(),
        origin: "p/m".to_owned(),
    };
    let rendering = ChatRendering {
        include_usage: settings & 1 != 0,
        with_status: false,
    };
    let failure = ApiError::new(ErrorCode::UpstreamError, "The provider failed.");
    let failure = (settings & 8 != 0).then_some(&failure);
    let stream = rendering
        .writer(head)
        .whole(events, Usage::new(3, 5), failure);
    let stream = stream.strip_suffix("\n\n").expect("a complete stream");
    let lines: Vec<&str> = stream.split("\n\n").collect();
    let (last, chunks) = lines.split_last().expect("an end");
    let mut read = Read::default();
    for (position, line) in chunks.iter().enumerate() {
        let is_usage = rendering.include_usage && failure.is_none() && position + 1 == chunks.len();
        read.chunk(&data(line), rendering.include_usage, is_usage);
    }
    match failure {
        None => assert_eq!(*last, "data: [DONE]"),
        Some(_) => assert_eq!(data(last)["error"]["code"], "upstream_error"),
    }
    let sent: String = events.iter().map(text_of).collect();
    assert_eq!(read.text, sent);
}

fn data(line: &str) -> Value {
    let json = line.strip_prefix("data: ").expect("data");
    assert!(!json.contains(['\n', '\r']), "one line");
    serde_json::from_str(json).expect("JSON")
}

/// The text of an event, of whichever choice.
fn text_of(event: &LlmEvent) -> &str {
    match event {
        LlmEvent::Delta { delta, .. } => match delta {
            Delta::Content(text) | Delta::Reasoning(text) | Delta::Refusal(text) => text,
            Delta::ToolCallArguments { arguments, .. } => arguments,
            _ => "",
        },
        _ => "",
    }
}

/// What a client has read.
#[derive(Default)]
struct Read {
    introduced: Vec<Value>,
    text: String,
}

impl Read {
    fn chunk(&mut self, chunk: &Value, include_usage: bool, is_usage: bool) {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk.get("usage").is_some(), include_usage);
        assert_eq!(chunk["usage"].is_object(), is_usage);
        for choice in chunk["choices"].as_array().expect("choices") {
            let delta = &choice["delta"];
            let is_first = delta["role"] == "assistant";
            assert_ne!(is_first, self.introduced.contains(&choice["index"]));
            if is_first {
                self.introduced.push(choice["index"].clone());
            }
            let call = &delta["tool_calls"][0];
            let texts = [
                &delta["content"],
                &delta["reasoning_content"],
                &delta["refusal"],
                &call["function"]["arguments"],
                &call["custom"]["input"],
                &delta["function_call"]["arguments"],
            ];
            let texts = texts.into_iter().filter_map(Value::as_str);
            texts.for_each(|text| self.text.push_str(text));
        }
    }
}
