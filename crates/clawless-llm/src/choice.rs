//! Parses `tool_choice`, for wires that express it differently.

use std::borrow::Cow;

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

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
        let choice = in_openai_form(choice);
        choice.read().map_err(|_| refused())
    }
}

/// A choice in the form of `OpenAI`'s chat completions. Clients also send Anthropic's and Mistral's
/// `any` for `required`, Anthropic's objects, and the form of the Responses API.
pub(crate) fn in_openai_form(choice: &Json) -> Cow<'_, Json> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Other {
        Word(String),
        Object {
            r#type: String,
            #[serde(default)]
            name: Option<String>,
            #[serde(default)]
            function: Option<IgnoredAny>,
        },
    }
    #[derive(Serialize)]
    struct Function {
        r#type: &'static str,
        function: Name,
    }
    #[derive(Serialize)]
    struct Name {
        name: String,
    }
    let word = |word: &str| Json::from_value(word).ok();
    let changed = match choice.read() {
        Ok(Other::Word(text)) if text == "any" => word("required"),
        Ok(Other::Object {
            r#type,
            name,
            function: None,
        }) => match (r#type.as_str(), name) {
            ("any" | "required", None) => word("required"),
            ("auto" | "none", None) => word(&r#type),
            ("tool" | "function", Some(name)) => {
                let function = Name { name };
                let r#type = "function";
                Json::from_value(&Function { r#type, function }).ok()
            }
            _ => None,
        },
        _ => None,
    };
    changed.map_or(Cow::Borrowed(choice), Cow::Owned)
}

/// The error for a choice that the wire does not support.
pub(crate) fn refused() -> LlmError {
    unsupported("This model does not take this `tool_choice`.")
}

/// Rejects a required tool call in a request without tools.
///
/// # Errors
/// The request requires one.
pub(crate) fn check_no_call_required(options: &ChatOptions) -> Result<(), LlmError> {
    let choice = options.tool_choice.as_ref();
    let is_idle = |choice: &Json| {
        let choice = in_openai_form(choice);
        let word: Result<String, _> = choice.read();
        word.is_ok_and(|word| matches!(word.as_str(), "none" | "auto"))
    };
    if choice.is_none_or(is_idle) {
        return Ok(());
    }
    Err(no_matching_tool())
}

/// The error for a required choice without tools.
pub(crate) fn no_matching_tool() -> LlmError {
    unsupported("`tool_choice` names no tool that is offered.")
}

fn unsupported(message: &str) -> LlmError {
    LlmError::Unsupported {
        message: message.to_owned(),
        param: "tool_choice".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_of_other_apis_are_translated() {
        let named = r#"{"type":"function","function":{"name":"f"}}"#;
        for (json, expected) in [
            (r#""any""#, r#""required""#),
            (r#"{"type":"any"}"#, r#""required""#),
            (
                r#"{"type":"any","disable_parallel_tool_use":true}"#,
                r#""required""#,
            ),
            (r#"{"type":"required"}"#, r#""required""#),
            (r#"{"type":"auto"}"#, r#""auto""#),
            (r#"{"type":"none"}"#, r#""none""#),
            (r#"{"type":"tool","name":"f"}"#, named),
            (r#"{"type":"function","name":"f"}"#, named),
            (r#""required""#, r#""required""#),
            (named, named),
            (
                r#"{"type":"custom","custom":{"name":"f"}}"#,
                r#"{"type":"custom","custom":{"name":"f"}}"#,
            ),
            (r#""sometimes""#, r#""sometimes""#),
        ] {
            let choice = Json::parse(json.to_owned()).expect("JSON");
            assert_eq!(in_openai_form(&choice).as_str(), expected, "{json}");
        }
    }
}
