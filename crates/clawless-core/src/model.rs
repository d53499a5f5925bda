//! The models that this deployment offers, and what each can take.

use serde::{Deserialize, Serialize};

use crate::money::Tokens;

/// A model as one provider offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The name by which clients ask for it, and by which the provider knows it.
    pub id: String,
    /// The provider that serves it: the `name` of its entry in the configuration.
    #[serde(default)]
    pub provider: String,
    /// The context window.
    #[serde(default = "default_context")]
    pub context: Tokens,
    /// The longest answer; the provider decides where it is absent.
    #[serde(default)]
    pub max_output: Option<Tokens>,
    /// How it is told to think.
    #[serde(default)]
    pub thinking: ThinkingStyle,
}

/// How a model is told how much to think before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingStyle {
    /// It is not told: it does not think, or nobody knows how. To a server that speaks `OpenAI`'s
    /// wire `reasoning_effort` goes out as it came.
    #[default]
    Unknown,
    /// By a budget of tokens.
    Budget,
    /// By an effort; how many tokens that takes is the model's affair.
    Adaptive,
    /// By an effort, and it cannot be switched off.
    Always,
}

/// A small window that any current model has, for models of which nothing is known.
const fn default_context() -> Tokens {
    Tokens::new(8192)
}

/// The name that leaves the choice of the model to the router.
pub const AUTO: &str = "auto";
