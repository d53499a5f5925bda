//! From a provider's configuration to its client. A new wire is one module and one line here.

use clawless_core::llm::{LlmProvider, ProviderKind};

use crate::anthropic::Anthropic;
use crate::client::LlmClient;
use crate::egress::{Egress, EgressError};
use crate::openai::OpenAi;
use crate::profile::{Profile, ProfileError};
use crate::protocol::Protocol;
use crate::workers_ai::WorkersAi;

/// A provider's configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Its base URL may not be called.
    #[error("the base URL of provider `{provider}` is refused: {reason}")]
    BaseUrl {
        /// The provider's name.
        provider: String,
        /// The reason.
        reason: EgressError,
    },
    /// Its profile cannot be used.
    #[error("the profile of provider `{provider}` is refused: {reason}")]
    Profile {
        /// The provider's name.
        provider: String,
        /// The reason.
        reason: ProfileError,
    },
}

/// The client of a provider; `key` is the value of the secret that the provider's entry names.
///
/// # Errors
/// Where the entry's base URL or profile cannot be used.
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
    let profile = Profile::of(provider).map_err(|reason| ConfigError::Profile {
        provider: provider.name.clone(),
        reason,
    })?;
    let models = provider.models.iter().cloned();
    let models: Vec<_> = models
        .map(|model| model.with_known_defaults(provider.kind))
        .collect();
    let protocol: Box<dyn Protocol> = match provider.kind {
        ProviderKind::OpenAi => Box::new(OpenAi::with_profile(base_url()?, key, profile, &models)),
        ProviderKind::Anthropic => Box::new(Anthropic::new(base_url()?, key, &models)),
        // The platform's binding holds both the address and the credentials.
        ProviderKind::WorkersAi => Box::new(WorkersAi::new(&models)),
    };
    Ok(LlmClient::new(provider.name.clone(), protocol, key).with_profile(profile))
}
