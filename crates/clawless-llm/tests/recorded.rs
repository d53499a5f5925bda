//! Recorded streams and whole responses: each decodes to the expected response with any chunking,
//! and no truncated stream counts as complete.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use std::path::{Path, PathBuf};

use clawless_api::chat::ChatCompletionResponse;
use clawless_core::chat::ChatOptions;
use clawless_core::llm::{LlmEvent, LlmRequest, LlmResponse};
use clawless_core::{Message, Role, Timestamp};
use clawless_llm::anthropic::{Anthropic, AnthropicDecoder};
use clawless_llm::openai::{OpenAi, OpenAiDecoder};
use clawless_llm::protocol::{Decoder, Progress, Protocol};
use clawless_llm::workers_ai::{WorkersAi, WorkersAiDecoder};
use clawless_llm::{Accumulator, LlmError};
use proptest::prelude::*;

/// The recordings of streams (`sse`) or of whole answers (`body`).
fn recorded(extension: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams");
    let entries = std::fs::read_dir(folder).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut streams: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .map(|path| (path.clone(), std::fs::read(&path).expect("a stream")))
        .collect();
    streams.sort();
    assert!(streams.len() >= 10);
    streams
}

fn protocol(path: &Path) -> Box<dyn Protocol> {
    let name = path.file_name().expect("a name").to_string_lossy();
    if name.starts_with("anthropic") {
        Box::new(Anthropic::new("https://a.example/v1", None, &[]))
    } else if name.starts_with("workers-ai") {
        Box::new(WorkersAi::new(&[]))
    } else {
        Box::new(OpenAi::new("https://o.example/v1", None))
    }
}

fn decoder(path: &Path) -> Box<dyn Decoder> {
    let name = path.file_name().expect("a name").to_string_lossy();
    if name.starts_with("anthropic") {
        Box::new(AnthropicDecoder::default())
    } else if name.starts_with("workers-ai") {
        Box::new(WorkersAiDecoder::new(&request(), 100))
    } else {
        Box::new(OpenAiDecoder::default())
    }
}

fn request() -> LlmRequest {
    LlmRequest {
        model: "m".to_owned(),
        messages: vec![Message::text(Role::User, "Hi").expect("a message")],
        options: ChatOptions::default(),
    }
}

fn decode<'a>(
    path: &Path,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<LlmEvent>, Result<(), LlmError>) {
    let (mut decoder, mut events) = (decoder(path), Vec::new());
    for piece in pieces {
        match decoder.push(piece, &mut events) {
            Ok(Progress::More) => {}
            Ok(Progress::Done) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
    let ended = decoder.end(&mut events);
    (events, ended)
}

/// Compares a response, as a client without streaming receives it, with the file of its recording.
/// With `CLAWLESS_BLESS=1` the files are written; review the diff before you commit it.
fn check_answer(recording: &Path, extension: &str, answer: LlmResponse) {
    let answer = ChatCompletionResponse::new(
        "chatcmpl-1".to_owned(),
        Timestamp::default(),
        "m".to_owned(),
        answer,
    );
    let answer = serde_json::to_string_pretty(&answer).expect("JSON") + "\n";
    let file = recording.with_extension(extension);
    if std::env::var_os("CLAWLESS_BLESS").is_some() {
        std::fs::write(&file, &answer).expect("written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(answer, expected, "{}", recording.display());
}

#[test]
fn each_recorded_stream_decodes_to_its_response() {
    for (path, bytes) in recorded("sse") {
        let (events, ended) = decode(&path, [bytes.as_slice()]);
        assert_eq!(ended, Ok(()), "{}", path.display());
        let mut answer = Accumulator::default();
        answer.push_all(&events);
        check_answer(&path, "json", answer.finish());
    }
}

#[test]
fn each_recorded_body_decodes_to_its_response() {
    for (path, bytes) in recorded("body") {
        let answer = protocol(&path).decode_whole(&request(), &bytes);
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        check_answer(&path, "whole.json", answer);
    }
}

#[test]
fn single_bytes_decode_to_the_same_events() {
    for (path, bytes) in recorded("sse") {
        let whole = decode(&path, [bytes.as_slice()]);
        assert_eq!(decode(&path, bytes.chunks(1)), whole, "{}", path.display());
    }
}

#[test]
fn no_truncated_stream_counts_as_complete() {
    for (path, bytes) in recorded("sse") {
        let (whole, _) = decode(&path, [bytes.as_slice()]);
        let is_finish = |event: &LlmEvent| matches!(event, LlmEvent::Finish { .. });
        let expected = whole.iter().filter(|event| is_finish(event)).count();
        for length in 0..bytes.len() {
            let (events, ended) = decode(&path, [&bytes[..length]]);
            let finished = events.iter().filter(|event| is_finish(event)).count();
            assert_eq!(
                ended.is_ok(),
                finished == expected,
                "{} cut at {length}: {ended:?}",
                path.display()
            );
            let common = events.len().min(whole.len());
            assert_eq!(events[..common], whole[..common], "cut at {length}");
        }
    }
}

proptest! {
    #[test]
    fn every_split_decodes_to_the_same_events(seed in proptest::collection::vec(0.0..1.0_f64, 1..40)) {
        for (path, bytes) in recorded("sse") {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a position within a small file"
            )]
            let mut cuts: Vec<usize> = seed
                .iter()
                .map(|at| (at * bytes.len() as f64) as usize)
                .collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(decode(&path, pieces), decode(&path, [bytes.as_slice()]));
        }
    }

    /// A damaged stream results in an error or a response, never in a panic.
    #[test]
    fn damaged_streams_never_panic(
        at in 0.0..1.0_f64,
        junk in proptest::collection::vec(any::<u8>(), 0..8),
        length in 0_usize..20,
    ) {
        for (path, mut bytes) in recorded("sse") {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a position within a small file"
            )]
            let at = (at * bytes.len() as f64) as usize;
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, junk.iter().copied());
            let whole = decode(&path, [bytes.as_slice()]);
            prop_assert_eq!(decode(&path, bytes.chunks(3)), whole);
        }
    }
}
