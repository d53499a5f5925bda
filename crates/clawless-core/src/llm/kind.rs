//! The wire formats that providers use.

use serde::{Deserialize, Serialize};

/// The wire that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// `OpenAI`'s chat completions, by `OpenAI` or by any server that speaks them.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// The models of the platform itself, by its AI binding.
    WorkersAi,
}
