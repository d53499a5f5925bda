//! The wire formats of providers.

use serde::{Deserialize, Serialize};

/// The wire format of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// `OpenAI`'s chat completions, of `OpenAI` or a compatible server.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Workers AI, through the platform's AI binding.
    WorkersAi,
}
