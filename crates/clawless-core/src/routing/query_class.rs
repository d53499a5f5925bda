//! The kinds of query that the router tells apart.

use serde::{Deserialize, Serialize};

use crate::model::ModelRole;

/// The kind of answer that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "RequestClass")
)]
#[serde(rename_all = "snake_case")]
pub enum QueryClass {
    /// A fact, a phrase, small talk, a side task of a chat client.
    Simple,
    /// Reasoning or a long text.
    Complex,
    /// Code, or an explanation of code.
    Code,
    /// Analysis of an image.
    Vision,
}

impl QueryClass {
    /// The classes of requests without images, in the order of the model's outputs.
    pub const TEXT: [Self; 3] = [Self::Simple, Self::Complex, Self::Code];

    /// The model role for the class.
    pub const fn role(self) -> ModelRole {
        match self {
            Self::Simple => ModelRole::Fast,
            Self::Complex => ModelRole::Smart,
            Self::Code => ModelRole::Code,
            Self::Vision => ModelRole::Vision,
        }
    }

    /// The name of the class in labelled data, settings and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Complex => "complex",
            Self::Code => "code",
            Self::Vision => "vision",
        }
    }

    /// The class with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Simple, Self::Complex, Self::Code, Self::Vision];
        all.into_iter().find(|class| class.as_str() == name)
    }
}
