//! One chunk of a stream on its way: decoded, kept, written as our own.

use anyhow::{Context, Result};
use clawless_api::chat::ChunkWriter;
use clawless_core::chat::ChatOptions;
use clawless_core::llm::LlmRequest;
use clawless_core::{Message, Role, Timestamp};
use clawless_llm::Accumulator;
use clawless_llm::openai::OpenAi;
use clawless_llm::protocol::Protocol;

use crate::nanoseconds_each;

/// How many chunks a timed stream has.
const CHUNKS: u16 = 2000;

/// An event as most providers send it.
const EVENT: &str = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n";

/// Relays so many chunks, a read each; gives the bytes that a client would have got.
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
    let mut kept = Accumulator::default();
    let (mut events, mut bytes) = (Vec::new(), 0);
    for _ in 0..count {
        decoder
            .push(EVENT.as_bytes(), &mut events)
            .ok()
            .context("the bench's own event is a good one")?;
        let mut out = String::with_capacity(256);
        for event in &events {
            writer.event(event, &mut out);
        }
        kept.push_all(&events);
        events.clear();
        bytes += out.len();
    }
    Ok(bytes)
}

/// What one chunk costs.
pub(crate) fn nanoseconds() -> Result<f64> {
    nanoseconds_each(CHUNKS.into(), || relay(CHUNKS.into()))
}
