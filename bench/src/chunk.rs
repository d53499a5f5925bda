//! Relaying one chunk of a stream: decode, accumulate, encode.

use anyhow::{Context, Result};
use clawless_api::chat::ChunkWriter;
use clawless_core::chat::ChatOptions;
use clawless_core::llm::LlmRequest;
use clawless_core::{Message, Role, Timestamp};
use clawless_llm::Accumulator;
use clawless_llm::openai::OpenAi;
use clawless_llm::protocol::Protocol;

use crate::timing::nanoseconds_per_operation;

/// Number of chunks in the timed stream.
const CHUNKS: u16 = 2000;

/// A typical event of an OpenAI-compatible provider.
const EVENT: &str = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n";

/// Relays `count` chunks, one per read. Returns the number of bytes sent to the client.
pub(crate) fn relay(count: usize) -> Result<usize> {
    let request = LlmRequest {
        model: "bench-model".to_owned(),
        messages: vec![Message::text(Role::User, "Say a few words.")?],
        options: ChatOptions::default(),
    };
    let mut decoder = OpenAi::new("https://provider.example/v1", None).decoder(&request);
    let mut writer = ChunkWriter::new(
        "chatcmpl-bench".to_owned(),
        Timestamp::default(),
        "bench-model".to_owned(),
        false,
    );
    let mut accumulator = Accumulator::default();
    let (mut events, mut bytes) = (Vec::new(), 0);
    for _ in 0..count {
        decoder
            .push(EVENT.as_bytes(), &mut events)
            .ok()
            .context("the benchmark's event is valid")?;
        let mut out = String::with_capacity(256);
        for event in &events {
            writer.event(event, &mut out);
        }
        accumulator.push_all(&events);
        events.clear();
        bytes += out.len();
    }
    Ok(bytes)
}

/// Time per chunk in nanoseconds.
pub(crate) fn nanoseconds() -> Result<f64> {
    nanoseconds_per_operation(CHUNKS.into(), || relay(CHUNKS.into()))
}
