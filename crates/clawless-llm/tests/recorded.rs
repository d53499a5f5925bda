//! Recorded streams: what each of them says, that it says so however it is cut, and that no cut of
//! it passes for whole.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use std::path::{Path, PathBuf};

use clawless_api::chat::ChatCompletionResponse;
use clawless_core::chat::ChatOptions;
use clawless_core::llm::{LlmEvent, LlmRequest};
use clawless_core::{Message, Role, Timestamp};
use clawless_llm::anthropic::AnthropicDecoder;
use clawless_llm::openai::OpenAiDecoder;
use clawless_llm::protocol::{Decoder, Progress};
use clawless_llm::workers_ai::WorkersAiDecoder;
use clawless_llm::{Accumulator, LlmError};
use proptest::prelude::*;

fn recorded() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams");
    let entries = std::fs::read_dir(folder).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut streams: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "sse"))
        .map(|path| (path.clone(), std::fs::read(&path).expect("a stream")))
        .collect();
    streams.sort();
    assert!(streams.len() >= 10);
    streams
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

/// Each stream's answer stands beside it, as a client without streaming would get it. With
/// `CLAWLESS_BLESS=1` the files are written anew; read what changed before you commit it.
#[test]
fn each_recorded_stream_makes_its_answer() {
    for (path, bytes) in recorded() {
        let (events, ended) = decode(&path, [bytes.as_slice()]);
        assert_eq!(ended, Ok(()), "{}", path.display());
        let mut answer = Accumulator::default();
        answer.push_all(&events);
        let answer = ChatCompletionResponse::new(
            "chatcmpl-1".to_owned(),
            Timestamp::default(),
            "m".to_owned(),
            answer.finish(),
        );
        let answer = serde_json::to_string_pretty(&answer).expect("JSON") + "\n";
        let beside = path.with_extension("json");
        if std::env::var_os("CLAWLESS_BLESS").is_some() {
            std::fs::write(&beside, &answer).expect("written");
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(answer, expected, "{}", path.display());
    }
}

#[test]
fn byte_by_byte_says_the_same() {
    for (path, bytes) in recorded() {
        let whole = decode(&path, [bytes.as_slice()]);
        assert_eq!(decode(&path, bytes.chunks(1)), whole, "{}", path.display());
    }
}

#[test]
fn no_cut_stream_passes_for_whole() {
    for (path, bytes) in recorded() {
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
    fn every_split_says_the_same(seed in proptest::collection::vec(0.0..1.0_f64, 1..40)) {
        for (path, bytes) in recorded() {
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

    /// Nonsense is an error or nothing, and never a panic.
    #[test]
    fn damaged_streams_do_no_harm(
        at in 0.0..1.0_f64,
        junk in proptest::collection::vec(any::<u8>(), 0..8),
        length in 0_usize..20,
    ) {
        for (path, mut bytes) in recorded() {
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
