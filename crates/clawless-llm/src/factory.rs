//! From a provider's configuration to its client. A new provider is one module and one line here.

use clawless_core::llm::{LlmProvider, ProviderKind};

use crate::anthropic::Anthropic;
use crate::client::LlmClient;
use crate::egress::{Egress, EgressError};
use crate::openai::OpenAi;
use crate::protocol::Protocol;
use crate::workers_ai::WorkersAi;

/// A provider's configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Its base URL is not one that may be called.
    #[error("the base URL of provider `{provider}` is refused: {reason}")]
    BaseUrl {
        /// The provider's name.
        provider: String,
        /// Why.
        reason: EgressError,
    },
}

/// The client for a provider; `key` is the value of the secret that the provider names.
pub fn make_client(
    provider: &LlmProvider,
    key: Option<&str>,
    egress: Egress,
) -> Result<LlmClient, ConfigError> {
    let base_url = || {
        let checked = egress.check(&provider.base_url);
        checked.map_err(|reason| ConfigError::BaseUrl {
            provider: provider.name.clone(),
            reason,
        })
    };
    let models = provider.models.iter().cloned();
    let models: Vec<_> = models.map(|model| model.completed(provider.kind)).collect();
    let protocol: Box<dyn Protocol> = match provider.kind {
        ProviderKind::OpenAi => Box::new(OpenAi::new(base_url()?, key)),
        ProviderKind::Anthropic => Box::new(Anthropic::new(base_url()?, key, &models)),
        // It has no URL and no key: the platform's binding is both.
        ProviderKind::WorkersAi => Box::new(WorkersAi::new(&models)),
    };
    Ok(LlmClient::new(provider.name.clone(), protocol, key))
}
