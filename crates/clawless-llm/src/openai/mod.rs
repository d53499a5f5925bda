//! `OpenAI`'s chat completions, as implemented by `OpenAI` and by compatible servers.

pub(crate) mod cache_lifetime;
mod choice;
pub(crate) mod chunk;
pub(crate) mod content;
pub(crate) mod encode;
pub(crate) mod finish;
mod limits;
pub(crate) mod messages;
mod report;
pub(crate) mod tool_calls;
mod turns;
pub(crate) mod usage;
mod whole;
pub(crate) mod wire;

use std::borrow::Cow;

use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::model::Model;

pub use chunk::OpenAiDecoder;

use crate::error::LlmError;
use crate::ports::{HttpRequest, Method};
use crate::profile::{DEFAULT, Profile};
use crate::protocol::{Decoder, Mode, Protocol};

/// The protocol of one server.
pub struct OpenAi {
    url: String,
    authorization: Option<String>,
    profile: &'static Profile,
    /// The configured models.
    models: Vec<Model>,
}

impl OpenAi {
    /// A protocol for the server whose API begins at `base_url`, such as
    /// `https://api.openai.com/v1`, with the default profile.
    pub fn new(base_url: &str, key: Option<&str>) -> Self {
        Self::with_profile(base_url, key, &DEFAULT, &[])
    }

    /// The same with a profile and the configured models.
    pub fn with_profile(
        base_url: &str,
        key: Option<&str>,
        profile: &'static Profile,
        models: &[Model],
    ) -> Self {
        Self {
            url: format!("{}/chat/completions", base_url.trim_end_matches('/')),
            authorization: key.map(|key| format!("Bearer {key}")),
            profile,
            models: models.to_vec(),
        }
    }

    fn model(&self, request: &LlmRequest) -> Option<&Model> {
        self.models.iter().find(|model| model.id == request.model)
    }
}

impl Protocol for OpenAi {
    fn encode(&self, request: &LlmRequest, mode: Mode) -> Result<HttpRequest, LlmError> {
        let accept = match mode {
            Mode::Stream | Mode::StreamWithoutUsage => "text/event-stream",
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
            body: encode::body(request, self.profile, self.model(request), mode)?,
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

    fn dropped(&self, request: &LlmRequest) -> Vec<Cow<'static, str>> {
        encode::dropped(request, self.profile, self.model(request))
    }
}
