//! Parses `tool_choice`, for wires that express it differently.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use serde::Deserialize;

use crate::error::LlmError;

/// A parsed tool choice.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Choice {
    /// `none`, `auto` or `required`.
    Word(String),
    /// A specific function that must be called.
    Named { function: Named },
    /// An allowed set of tools, of which one may or must be called.
    Allowed { allowed_tools: Allowed },
}

#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct Allowed {
    pub(crate) mode: String,
    tools: Vec<AllowedTool>,
}

#[derive(Deserialize)]
struct AllowedTool {
    function: Named,
}

impl Allowed {
    /// Whether the choice allows a function of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.function.name == name)
    }
}

impl Choice {
    /// Parses a tool choice.
    ///
    /// # Errors
    /// The wire does not support the choice.
    pub(crate) fn read(choice: &Json) -> Result<Self, LlmError> {
        choice.read().map_err(|_| refused())
    }
}

/// The error for a choice that the wire does not support.
pub(crate) fn refused() -> LlmError {
    unsupported("This model does not take this `tool_choice`.")
}

/// Rejects a required tool call in a request without tools.
///
/// # Errors
/// The request requires one.
pub(crate) fn check_idle(options: &ChatOptions) -> Result<(), LlmError> {
    let choice = options.tool_choice.as_ref();
    let is_idle = |choice: &Json| {
        let word: Result<&str, _> = choice.read();
        word.is_ok_and(|word| matches!(word, "none" | "auto"))
    };
    if choice.is_none_or(is_idle) {
        return Ok(());
    }
    Err(nothing_left())
}

/// The error for a required choice without tools.
pub(crate) fn nothing_left() -> LlmError {
    unsupported("`tool_choice` names no tool that is offered.")
}

fn unsupported(message: &str) -> LlmError {
    LlmError::Unsupported {
        message: message.to_owned(),
        param: "tool_choice".to_owned(),
    }
}
