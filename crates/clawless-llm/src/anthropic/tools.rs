//! Tools, in this wire's words.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::tool::{FunctionTool, ToolKind};
use serde::Serialize;

use super::messages::{CacheControl, unsupported};
use crate::choice::{self, Choice};
use crate::error::LlmError;

#[derive(Debug, Serialize)]
pub(super) struct WireTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<CacheControl>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireChoice {
    Auto {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Any {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Tool {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    None,
}

impl WireChoice {
    /// Whether a tool must be called: a model that thinks cannot be forced.
    pub(super) const fn is_forced(&self) -> bool {
        matches!(self, Self::Any { .. } | Self::Tool { .. })
    }
}

/// The tools, and which must be called. Schemas hold strictly for models that answer by one.
pub(super) fn convert(
    options: &ChatOptions,
    may_be_strict: bool,
) -> Result<(Vec<WireTool<'_>>, Option<WireChoice>), LlmError> {
    let mut tools = Vec::new();
    for tool in options.tools.iter().flatten() {
        match (&tool.function, tool.r#type) {
            (Some(function), ToolKind::Function) => {
                tools.push(convert_tool(function, may_be_strict)?);
            }
            _ => return Err(unsupported("tools", "custom tools")),
        }
    }
    if tools.is_empty() {
        choice::check_idle(options)?;
        return Ok((tools, None));
    }
    let serial = (options.parallel_tool_calls == Some(false)).then_some(true);
    let wanted = match &options.tool_choice {
        None => serial.is_some().then_some(WireChoice::Auto {
            disable_parallel_tool_use: serial,
        }),
        Some(json) => Some(match Choice::read(json)? {
            Choice::Word(word) => by_word(&word, serial)?,
            Choice::Named { function } => WireChoice::Tool {
                name: function.name,
                disable_parallel_tool_use: serial,
            },
            Choice::Allowed { allowed_tools } => {
                tools.retain(|tool| allowed_tools.has(tool.name));
                by_word(&allowed_tools.mode, serial)?
            }
        }),
    };
    if tools.is_empty() {
        return Err(choice::nothing_left());
    }
    Ok((tools, wanted))
}

/// Whether a function's arguments are to match its schema exactly.
pub(super) fn are_strict(options: &ChatOptions) -> bool {
    let functions = options.tools.iter().flatten();
    let functions = functions.filter_map(|tool| tool.function.as_ref());
    let mut functions = functions.chain(options.functions.iter().flatten());
    functions.any(|function| function.strict == Some(true))
}

fn by_word(word: &str, disable_parallel_tool_use: Option<bool>) -> Result<WireChoice, LlmError> {
    match word {
        "auto" => Ok(WireChoice::Auto {
            disable_parallel_tool_use,
        }),
        "required" => Ok(WireChoice::Any {
            disable_parallel_tool_use,
        }),
        "none" => Ok(WireChoice::None),
        _ => Err(choice::refused()),
    }
}

fn convert_tool(function: &FunctionTool, may_be_strict: bool) -> Result<WireTool<'_>, LlmError> {
    #[derive(Serialize)]
    struct AnyObject {
        r#type: &'static str,
    }
    let input_schema = match &function.parameters {
        Some(schema) => schema.clone(),
        None => Json::of(&AnyObject { r#type: "object" })
            .map_err(|error| LlmError::Malformed(error.to_string()))?,
    };
    Ok(WireTool {
        name: &function.name,
        description: function.description.as_deref(),
        input_schema,
        strict: function.strict.filter(|strict| *strict && may_be_strict),
        cache_control: None,
    })
}
