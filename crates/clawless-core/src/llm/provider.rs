//! The configuration of a model provider.

use serde::{Deserialize, Serialize};

use super::kind::ProviderKind;
use crate::model::Model;

/// A model provider, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmProvider {
    /// The operator's name for it.
    pub name: String,
    /// The wire that it speaks.
    pub kind: ProviderKind,
    /// Where its API begins, such as `https://api.openai.com/v1`; without a slash at the end.
    /// The platform's own models have none.
    #[serde(default)]
    pub base_url: String,
    /// The NAME of the secret that holds its key; no key is sent where it is absent.
    #[serde(default)]
    pub key: Option<String>,
    /// The name of the profile of its wire; its host selects one where it is absent.
    #[serde(default)]
    pub profile: Option<String>,
    /// The models that it serves.
    #[serde(default)]
    pub models: Vec<Model>,
}
