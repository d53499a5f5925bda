//! Properties that hold for all provider input. The fuzz targets (`fuzz/`) check them with millions
//! of inputs, and `tests/corpus.rs` with the stored corpus.

#![allow(unreachable_pub, reason = "a module of each test crate")]
#![allow(missing_docs, clippy::missing_panics_doc, reason = "tests")]

use std::collections::HashMap;

use clawless_api::chat::{ChatCompletionResponse, ChunkWriter};
use clawless_core::chat::ChatOptions;
use clawless_core::llm::{Delta, LlmEvent, LlmRequest, LlmResponse};
use clawless_core::tool::CallForm;
use clawless_core::{Message, Role, Timestamp, Usage};
use clawless_llm::anthropic::{Anthropic, AnthropicDecoder};
use clawless_llm::openai::{OpenAi, OpenAiDecoder};
use clawless_llm::protocol::{Decoder, Progress, Protocol};
use clawless_llm::sse::{SseDecoder, SseError};
use clawless_llm::workers_ai::{WorkersAi, WorkersAiDecoder};
use clawless_llm::{Accumulator, LlmError};

/// The maximum line length of the targets, so that a small input can exceed it.
const MAX_BYTES: usize = 256;

/// The maximum length of a provider message in an error, in characters.
const MAX_SENTENCE: usize = 400;

/// Creates a decoder for each chunking.
type Make = fn() -> Box<dyn Decoder>;

/// Events do not depend on chunk boundaries, and an event over the limit is rejected.
pub fn check_sse(bytes: &[u8]) {
    let whole = sse(std::iter::once(bytes));
    assert_eq!(sse(bytes.chunks(1)), whole, "byte by byte");
    assert_eq!(sse(pieces(bytes).into_iter()), whole, "in pieces");
    for (name, data) in whole.0 {
        assert!(name.len() <= MAX_BYTES && data.len() <= MAX_BYTES);
        assert!(!name.contains(['\n', '\r']) && !data.contains('\r'));
    }
}

/// `OpenAI`'s wire: streams, whole responses and errors.
pub fn check_openai(bytes: &[u8]) {
    check_stream(bytes, || Box::new(OpenAiDecoder::default()));
    check_bodies(bytes, &OpenAi::new("https://provider.example/v1", None));
}

/// Anthropic's Messages API: streams, whole responses and errors.
pub fn check_anthropic(bytes: &[u8]) {
    check_stream(bytes, || Box::new(AnthropicDecoder::default()));
    let protocol = Anthropic::new("https://provider.example/v1", None, &[]);
    check_bodies(bytes, &protocol);
}

/// The platform's own models: streams, whole responses and errors.
pub fn check_workers_ai(bytes: &[u8]) {
    check_stream(bytes, || Box::new(WorkersAiDecoder::new(&request(), 100)));
    check_bodies(bytes, &WorkersAi::new(&[]));
}

fn check_stream(bytes: &[u8], make: Make) {
    let whole = decode(make(), std::iter::once(bytes));
    // One chunking per input: fuzzing tries many inputs.
    let cut = if bytes.len().is_multiple_of(4) {
        decode(make(), bytes.chunks(1))
    } else {
        decode(make(), pieces(bytes).into_iter())
    };
    assert_eq!(cut, whole, "however it is cut");
    let (events, ended) = whole;
    check_events(&events, ended.is_ok());
    check_chunks(&events);
    if let Err(error) = ended {
        check_error(&error);
        return;
    }
    let mut answer = Accumulator::default();
    answer.push_all(&events);
    check_answer(&answer.finish());
}

fn check_bodies(bytes: &[u8], protocol: &dyn Protocol) {
    match protocol.decode_whole(&request(), bytes) {
        Ok(answer) => check_answer(&answer),
        Err(error) => check_error(&error),
    }
    for status in [400, 429, 500] {
        check_error(&protocol.decode_refusal(status, bytes));
    }
}

/// Calls start once, in order, before their arguments, which are never missing; a response ends
/// once; reasoning is signed once. Only an incomplete response may lack its end.
fn check_events(events: &[LlmEvent], is_whole: bool) {
    let mut finished: HashMap<u32, bool> = HashMap::new();
    let mut calls: HashMap<u32, Vec<(CallForm, String)>> = HashMap::new();
    let mut signed = 0;
    for event in events {
        match event {
            LlmEvent::Usage(_) | LlmEvent::Members(_) => {}
            LlmEvent::Finish { index, .. } => {
                assert_ne!(finished.insert(*index, true), Some(true), "ends twice");
            }
            LlmEvent::Delta { index, delta } => {
                finished.entry(*index).or_default();
                let calls = calls.entry(*index).or_default();
                match delta {
                    Delta::ToolCallStart {
                        call,
                        id,
                        name,
                        form,
                        members: _,
                    } => {
                        assert_eq!(*call as usize, calls.len(), "calls are numbered");
                        assert!(!name.is_empty() && !id.is_empty());
                        assert_ne!(*form, CallForm::Older, "no decoder makes the legacy form");
                        calls.push((*form, String::new()));
                    }
                    Delta::ToolCallArguments {
                        call,
                        arguments,
                        form,
                    } => {
                        let known = calls.get_mut(*call as usize).expect("a started call");
                        assert_eq!(known.0, *form, "a call has one form");
                        known.1.push_str(arguments);
                    }
                    Delta::Content(text) | Delta::Reasoning(text) | Delta::Refusal(text) => {
                        assert!(!text.is_empty(), "a piece is never empty");
                    }
                    Delta::ToolCallMembers { call, .. } => {
                        assert!((*call as usize) < calls.len(), "a started call");
                    }
                    Delta::ThinkingBlock(block) | Delta::Block(block) => {
                        assert!(block.as_str().starts_with('{'), "a block is an object");
                    }
                    Delta::ThinkingBlocks(_) => signed += 1,
                    Delta::Members(members) | Delta::ChoiceMembers(members) => {
                        assert!(!members.is_empty());
                    }
                    Delta::Logprobs(_) | Delta::Citation(_) | Delta::TextEnd => {}
                }
            }
        }
    }
    assert!(signed <= 1);
    if is_whole {
        assert!(!finished.is_empty(), "there is no answer");
        assert!(finished.values().all(|it| *it), "an answer has no end");
        let mut calls = calls.values().flatten();
        let has_input = |(form, text): &(CallForm, String)| !form.is_function() || !text.is_empty();
        assert!(calls.all(has_input), "a function's call has no arguments");
    }
}

/// A client receives one JSON object per `data:` line for every response.
fn check_chunks(events: &[LlmEvent]) {
    let (id, model) = ("chatcmpl-1".to_owned(), "m".to_owned());
    let mut writer = ChunkWriter::new(id, Timestamp::default(), model, true);
    let mut out = String::new();
    for event in events {
        writer.event(event, &mut out);
    }
    writer.finish(Usage::new(1, 1), &mut out);
    let out = out.strip_suffix("data: [DONE]\n\n").expect("an end");
    for event in out.split_terminator("\n\n") {
        let json = event.strip_prefix("data: ").expect("a data line");
        assert!(!json.contains(['\n', '\r']), "a line is broken: {json}");
        let chunk: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert!(chunk["choices"].is_array());
    }
}

fn check_answer(answer: &LlmResponse) {
    assert!(!answer.choices.is_empty());
    for choice in &answer.choices {
        assert!(choice.finish_reason.is_some());
        let has_text = choice.content.is_some() || choice.refusal.is_some();
        assert!(has_text || !choice.tool_calls.is_empty());
    }
    let mut again = Accumulator::default();
    again.push_all(&clawless_llm::accumulate::replay(answer.clone()));
    assert_eq!(again.finish(), *answer, "an answer survives being replayed");
    let written = ChatCompletionResponse::new(
        "chatcmpl-1".to_owned(),
        Timestamp::default(),
        "m".to_owned(),
        answer.clone(),
    );
    serde_json::to_string(&written).expect("JSON");
}

/// A provider message is passed on as one short line.
fn check_error(error: &LlmError) {
    if let LlmError::InvalidRequest { message, param } = error {
        for text in std::iter::once(message).chain(param) {
            assert!(text.chars().count() <= MAX_SENTENCE);
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
    if let LlmError::Reported(text) = error {
        assert!(text.chars().count() <= MAX_SENTENCE);
    }
}

fn decode<'a>(
    mut decoder: Box<dyn Decoder>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<LlmEvent>, Result<(), LlmError>) {
    let mut events = Vec::new();
    for piece in pieces {
        match decoder.push(piece, &mut events) {
            Ok(Progress::More) => {}
            Ok(Progress::Done) => {
                assert!(decoder.is_whole(), "the stream ended before its answer");
                return (events, Ok(()));
            }
            Err(error) => return (events, Err(error)),
        }
    }
    let ended = decoder.end(&mut events);
    if ended.is_ok() {
        assert!(decoder.has_begun() && decoder.is_whole());
    }
    (events, ended)
}

type Named = Vec<(String, String)>;

fn sse<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Named, Result<(), SseError>) {
    let (mut decoder, mut events) = (SseDecoder::new(MAX_BYTES), Vec::new());
    for piece in pieces {
        let pushed = decoder.push(piece, |event| {
            events.push((event.name.to_owned(), event.data.to_owned()));
            Ok::<_, SseError>(())
        });
        if pushed.is_err() {
            return (events, pushed);
        }
    }
    let ended = decoder.end(|event| {
        events.push((event.name.to_owned(), event.data.to_owned()));
        Ok::<_, SseError>(())
    });
    (events, ended)
}

/// The bytes in uneven chunks, which depend on the bytes alone, so that a failure can be
/// reproduced.
fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut seed = bytes.iter().fold(bytes.len() as u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    let (mut rest, mut pieces) = (bytes, Vec::new());
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (piece, after) = rest.split_at((seed >> 60) as usize % rest.len() + 1);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn request() -> LlmRequest {
    LlmRequest {
        model: "m".to_owned(),
        messages: vec![Message::text(Role::User, "Hi").expect("a message")],
        options: ChatOptions::default(),
    }
}
