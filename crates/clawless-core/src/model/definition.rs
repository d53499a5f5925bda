//! A configured model and its capabilities.

use serde::{Deserialize, Serialize};

use super::price::ModelPrice;
use crate::chat::ReasoningEffort;
use crate::money::Tokens;

/// A model of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The id, for clients and for the provider.
    pub id: String,
    /// The `name` of the provider in the configuration.
    #[serde(default)]
    pub provider: String,
    /// The context window, in tokens; unknown if absent, and never guessed.
    #[serde(default)]
    pub context: Option<Tokens>,
    /// The maximum of output tokens. The provider decides if absent.
    #[serde(default)]
    pub max_output: Option<Tokens>,
    /// The output limit for requests without one. `max_output` if absent.
    #[serde(default)]
    pub default_output: Option<Tokens>,
    /// How the reasoning effort is sent.
    #[serde(default)]
    pub thinking: ThinkingStyle,
    /// The default reasoning effort. The provider's default if absent.
    #[serde(default)]
    pub effort: Option<ReasoningEffort>,
    /// The input format, for Workers AI.
    #[serde(default)]
    pub inputs: InputForm,
    /// The capabilities.
    #[serde(default)]
    pub features: Features,
    /// The roles for routing.
    #[serde(default)]
    pub roles: Vec<ModelRole>,
    /// The price. Free if absent.
    #[serde(default)]
    pub price: Option<ModelPrice>,
}

/// The capabilities of a model. An unknown model is assumed to have all of them; its provider
/// rejects what it does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Features {
    /// Calls tools.
    pub tools: bool,
    /// Accepts images.
    pub vision: bool,
    /// Follows a JSON schema.
    pub json_schema: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            tools: true,
            vision: true,
            json_schema: true,
        }
    }
}

/// The purpose of a model. Each role is also an alias that a request can name as its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// Fast and cheap responses.
    Fast,
    /// Complex questions.
    Smart,
    /// Programming.
    Code,
    /// Images.
    Vision,
}

impl ModelRole {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Smart, Self::Code, Self::Vision];

    /// The alias of the role.
    pub const fn alias(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Smart => "smart",
            Self::Code => "code",
            Self::Vision => "vision",
        }
    }

    /// The role with this alias.
    pub fn from_alias(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.alias() == name)
    }
}

impl Model {
    /// The maximum of output tokens, if it is known; at most the context window.
    pub fn output_limit(&self) -> Option<Tokens> {
        self.max_output.or(self.context)
    }

    /// Whether the model is known to support a reasoning effort.
    pub fn supports_thinking(&self) -> bool {
        self.thinking != ThinkingStyle::Unknown
    }
}

/// How the reasoning effort is sent to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingStyle {
    /// Unknown or unsupported. OpenAI-compatible servers receive `reasoning_effort` unchanged.
    #[default]
    Unknown,
    /// As a budget of tokens.
    Budget,
    /// As an effort; the model chooses the number of tokens.
    Adaptive,
    /// As an effort; reasoning cannot be disabled.
    Always,
}

/// The input format of a Workers AI model, as its schema in the catalogue states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputForm {
    /// The format of Workers AI, which all of its text models accept.
    #[default]
    Native,
    /// `OpenAI`'s chat completions with all parameters: stop sequences, log probabilities, `n`,
    /// `tool_choice`.
    #[serde(rename = "openai")]
    OpenAi,
}

/// The model name for automatic routing.
pub const AUTO: &str = "auto";
