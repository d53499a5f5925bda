//! What a provider's wire must offer: requests out, events in, without I/O.

use std::borrow::Cow;

use clawless_core::llm::{LlmEvent, LlmRequest, LlmResponse};

use crate::error::LlmError;
use crate::ports::HttpRequest;

/// Whether the answer is to come at once or as it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In one piece.
    Whole,
    /// As a stream.
    Stream,
}

/// One provider's wire.
pub trait Protocol {
    /// Writes a request.
    fn encode(&self, request: &LlmRequest, mode: Mode) -> Result<HttpRequest, LlmError>;

    /// A decoder for one streamed answer to a request.
    fn decoder(&self, request: &LlmRequest) -> Box<dyn Decoder>;

    /// Reads an answer to a request that came in one piece with a status of success.
    fn decode_whole(&self, request: &LlmRequest, body: &[u8]) -> Result<LlmResponse, LlmError>;

    /// Reads an answer with any other status. Waiting times are filled in by the caller.
    fn decode_refusal(&self, status: u16, body: &[u8]) -> LlmError;

    /// The parameters of a request that this wire does not have and that are left out because that
    /// does no harm. The client receives their names in a header.
    fn dropped(&self, _request: &LlmRequest) -> Vec<Cow<'static, str>> {
        Vec::new()
    }
}

/// Whether more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The answer goes on.
    More,
    /// The answer is whole, and whatever follows is dropped.
    Done,
}

/// Decodes one streamed answer.
pub trait Decoder {
    /// Takes more bytes and appends what they say to `out`. Where an error is returned, what
    /// stands in `out` came before it and is good.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError>;

    /// The body ended. An error where the answer is not whole.
    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError>;

    /// Whether a piece of the answer was understood: it is an answer, and not a web page.
    fn has_begun(&self) -> bool;

    /// Whether every answer has its finish reason, so that nothing but usage can be missing.
    fn is_whole(&self) -> bool;
}
