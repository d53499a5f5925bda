//! What a response repeats of its request, and how the request wants its answer.

use clawless_core::Timestamp;
use clawless_core::json::Json;
use clawless_core::members::Members;
use serde::{Deserialize, Serialize};

use super::namespaces::Namespaces;

/// The members of a response that its request determines. Stored with the turn, so that a stored
/// response repeats them too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResponseEcho {
    /// The members as they are written, in order.
    pub(super) members: Members,
    /// Whether reasoning is shown as a summary. Otherwise it is shown as text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) has_summary: bool,
    /// Whether the client wants what a provider needs back (`reasoning.encrypted_content`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) has_opaque: bool,
    /// Whether the client wants log probabilities.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) has_logprobs: bool,
    /// The tools in namespaces.
    #[serde(default, skip_serializing_if = "Namespaces::is_empty")]
    pub(super) namespaces: Namespaces,
}

/// A response's echo as it is stored with its turn.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoredEcho {
    /// The echo.
    pub echo: ResponseEcho,
    /// How many messages at the beginning of the turn are its input.
    pub inputs: usize,
    /// The reasoning of the answer. Messages hold it only where the model needs it to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// When the answer was complete; `None` if it broke off, and of turns of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<Timestamp>,
}

impl StoredEcho {
    /// Reads a stored echo.
    ///
    /// # Errors
    /// It has another form than [`Self::to_json`] writes.
    pub fn read(json: &Json) -> Result<Self, serde_json::Error> {
        json.read()
    }

    /// The echo for the database.
    ///
    /// # Errors
    /// It cannot be written as JSON, which does not occur.
    pub fn to_json(&self) -> Result<Json, serde_json::Error> {
        Json::from_value(self)
    }
}
