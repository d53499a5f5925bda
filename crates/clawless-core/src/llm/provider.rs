//! The configuration of a model provider.

use serde::{Deserialize, Serialize};

use super::kind::ProviderKind;
use crate::model::Model;

/// The configuration of a model provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmProvider {
    /// The name, chosen by the operator.
    pub name: String,
    /// The wire format.
    pub kind: ProviderKind,
    /// The base URL, such as `https://api.openai.com/v1`, without a trailing slash. Empty for
    /// Workers AI.
    #[serde(default)]
    pub base_url: String,
    /// The NAME of the secret with the API key. No key is sent if absent.
    #[serde(default)]
    pub key: Option<String>,
    /// The name of the profile of the wire format. Selected by host if absent.
    #[serde(default)]
    pub profile: Option<String>,
    /// The models of the provider.
    #[serde(default)]
    pub models: Vec<Model>,
}
