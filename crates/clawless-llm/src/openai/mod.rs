//! `OpenAI`'s chat completions, as `OpenAI` and every server compatible with it speak them.

pub(crate) mod chunk;
pub(crate) mod encode;
mod finish;
mod replay;
mod report;
pub(crate) mod tool_calls;
pub(crate) mod usage;
mod whole;
pub(crate) mod wire;

use clawless_core::llm::{LlmRequest, LlmResponse};

pub use chunk::OpenAiDecoder;

use crate::error::LlmError;
use crate::ports::{HttpRequest, Method};
use crate::protocol::{Decoder, Mode, Protocol};

/// The most answers to one request (`n`), and the most tool calls of one answer. A provider that
/// sends more is not believed: each costs memory.
pub(crate) const MAX_PARALLEL: u32 = 128;

/// The protocol, for one server.
pub struct OpenAi {
    url: String,
    authorization: Option<String>,
}

impl OpenAi {
    /// For the server whose API begins at `base_url`, such as `https://api.openai.com/v1`.
    pub fn new(base_url: &str, key: Option<&str>) -> Self {
        Self {
            url: format!("{}/chat/completions", base_url.trim_end_matches('/')),
            authorization: key.map(|key| format!("Bearer {key}")),
        }
    }
}

impl Protocol for OpenAi {
    fn encode(&self, request: &LlmRequest, mode: Mode) -> Result<HttpRequest, LlmError> {
        let accept = match mode {
            Mode::Stream => "text/event-stream",
            Mode::Whole => "application/json",
        };
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("accept", accept.to_owned()),
        ];
        if let Some(value) = &self.authorization {
            headers.push(("authorization", value.clone()));
        }
        Ok(HttpRequest {
            method: Method::Post,
            url: self.url.clone(),
            headers,
            body: encode::body(request, mode)?,
        })
    }

    fn decoder(&self, request: &LlmRequest) -> Box<dyn Decoder> {
        Box::new(OpenAiDecoder::new(request))
    }

    fn decode_whole(&self, request: &LlmRequest, body: &[u8]) -> Result<LlmResponse, LlmError> {
        whole::decode(chunk::Answer::new(request), body)
    }

    fn decode_refusal(&self, status: u16, body: &[u8]) -> LlmError {
        crate::failure::refusal(status, body)
    }
}
