//! Creates clients from provider configuration. A new wire is one module and one line here.

use clawless_core::llm::{LlmProvider, ProviderKind};

use crate::anthropic::Anthropic;
use crate::client::LlmClient;
use crate::egress::{Egress, EgressError};
use crate::openai::OpenAi;
use crate::profile::{Profile, ProfileError};
use crate::protocol::Protocol;
use crate::workers_ai::WorkersAi;

/// An invalid provider configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The base URL is not allowed.
    #[error("the base URL of provider `{provider}` is refused: {reason}")]
    BaseUrl {
        /// The provider's name.
        provider: String,
        /// The reason.
        reason: EgressError,
    },
    /// The profile is invalid.
    #[error("the profile of provider `{provider}` is refused: {reason}")]
    Profile {
        /// The provider's name.
        provider: String,
        /// The reason.
        reason: ProfileError,
    },
}

/// Creates the client of a provider; `key` is the value of the secret that the provider's entry
/// names.
///
/// # Errors
/// The entry's base URL or profile is invalid.
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
        ProviderKind::Anthropic => {
            let protocol = Anthropic::new(base_url()?, key, &models);
            Box::new(protocol.of_provider(&provider.name).with_profile(profile))
        }
        // The platform's binding provides the address and the credentials.
        ProviderKind::WorkersAi => Box::new(WorkersAi::new(&models)),
    };
    Ok(LlmClient::new(provider.name.clone(), protocol, key).with_profile(profile))
}
