//! Anthropic's Messages API.

mod blocks;
mod cache;
mod content_block;
mod encode;
mod images;
mod marks;
mod messages;
mod native;
mod opaque;
mod schema;
mod signed;
mod stream;
mod thinking;
mod tools;
mod wire;

use std::borrow::Cow;

use clawless_core::llm::{LlmRequest, LlmResponse, ProviderKind};
use clawless_core::model::Model;

pub(crate) use marks::is_prefix_marked;
pub(crate) use signed::SIGNER;
pub use stream::AnthropicDecoder;

use crate::betas;
use crate::error::LlmError;
use crate::failure;
use crate::ports::{HttpRequest, Method};
use crate::profile::Profile;
use crate::protocol::{Decoder, Mode, Protocol};

/// The API version.
const VERSION: &str = "2023-06-01";

/// The protocol of one server.
pub struct Anthropic {
    url: String,
    key: Option<String>,
    /// The configured models: `max_tokens` is required, and thinking parameters differ.
    models: Vec<Model>,
    /// The provider's name, which signed reasoning is marked with.
    provider: String,
    profile: &'static Profile,
}

impl Anthropic {
    /// A protocol for the server whose API begins at `base_url`, such as
    /// `https://api.anthropic.com/v1`.
    pub fn new(base_url: &str, key: Option<&str>, models: &[Model]) -> Self {
        Self {
            url: format!("{}/messages", base_url.trim_end_matches('/')),
            key: key.map(str::to_owned),
            models: models.to_vec(),
            provider: String::new(),
            profile: Profile::default_of(ProviderKind::Anthropic),
        }
    }

    /// The same with a profile.
    #[must_use]
    pub const fn with_profile(mut self, profile: &'static Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The same for the provider of this name. Its signed reasoning is never sent to another one.
    #[must_use]
    pub fn of_provider(mut self, name: &str) -> Self {
        name.clone_into(&mut self.provider);
        self
    }

    /// The model of a request, as its signed reasoning names it.
    fn signer(&self, request: &LlmRequest) -> String {
        match self.provider.as_str() {
            "" => request.model.clone(),
            provider => format!("{provider}/{}", request.model),
        }
    }

    fn model(&self, request: &LlmRequest) -> Option<&Model> {
        self.models.iter().find(|model| model.id == request.model)
    }
}

impl Protocol for Anthropic {
    fn encode(&self, request: &LlmRequest, mode: Mode) -> Result<HttpRequest, LlmError> {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("anthropic-version", VERSION.to_owned()),
        ];
        if let Some(key) = &self.key {
            headers.push(("x-api-key", key.clone()));
        }
        let betas = betas::passed(&request.options);
        if !betas.is_empty() {
            headers.push(("anthropic-beta", betas.join(",")));
        }
        Ok(HttpRequest {
            method: Method::Post,
            url: self.url.clone(),
            headers,
            body: encode::body(
                request,
                self.model(request),
                &self.signer(request),
                self.profile,
                mode,
            )?,
        })
    }

    fn decoder(&self, request: &LlmRequest) -> Box<dyn Decoder> {
        let decoder = AnthropicDecoder::for_signer(&self.signer(request));
        Box::new(decoder.with_unsigned_thinking(self.profile.messages.unsigned_thinking))
    }

    fn decode_whole(&self, request: &LlmRequest, body: &[u8]) -> Result<LlmResponse, LlmError> {
        let is_unsigned = self.profile.messages.unsigned_thinking;
        stream::decode_whole(&self.signer(request), is_unsigned, body)
    }

    fn decode_refusal(&self, status: u16, body: &[u8]) -> LlmError {
        failure::refusal(status, body)
    }

    fn dropped(&self, request: &LlmRequest) -> Vec<Cow<'static, str>> {
        encode::dropped(request, self.model(request))
    }
}
