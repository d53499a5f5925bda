//! The interface of a provider's wire: encodes requests and decodes responses, without I/O.

use std::borrow::Cow;

use clawless_core::llm::{LlmEvent, LlmRequest, LlmResponse};

use crate::error::LlmError;
use crate::ports::HttpRequest;

/// Whether a response is requested whole or as a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Whole.
    Whole,
    /// As a stream.
    Stream,
    /// As a stream, without a request for its usage: the provider rejects that.
    StreamWithoutUsage,
}

impl Mode {
    /// Whether a stream is requested.
    pub const fn is_stream(self) -> bool {
        !matches!(self, Self::Whole)
    }
}

/// One provider's wire.
pub trait Protocol {
    /// Encodes a request.
    fn encode(&self, request: &LlmRequest, mode: Mode) -> Result<HttpRequest, LlmError>;

    /// A decoder for one streamed response to a request.
    fn decoder(&self, request: &LlmRequest) -> Box<dyn Decoder>;

    /// Decodes a whole response with a successful status.
    fn decode_whole(&self, request: &LlmRequest, body: &[u8]) -> Result<LlmResponse, LlmError>;

    /// Decodes a response with any other status. The caller applies the `retry-after` header.
    fn decode_refusal(&self, status: u16, body: &[u8]) -> LlmError;

    /// The parameters of a request that this wire does not support and that can be omitted safely.
    /// The client receives their names in a header.
    fn dropped(&self, _request: &LlmRequest) -> Vec<Cow<'static, str>> {
        Vec::new()
    }
}

/// Whether a response continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The response continues.
    More,
    /// The response is complete; later bytes are ignored.
    Done,
}

/// Decodes one streamed response.
pub trait Decoder {
    /// Decodes more bytes and appends their events to `out`. The events in `out` are valid even if
    /// an error is returned.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError>;

    /// Ends the body.
    ///
    /// # Errors
    /// The response is not complete.
    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError>;

    /// Whether the response has begun: its first output was decoded. Until then, another model may
    /// be called.
    fn has_begun(&self) -> bool;

    /// Whether every choice has its finish reason and the response is not empty, so that only usage
    /// can be missing.
    fn is_whole(&self) -> bool;
}
