//! Tools, in this wire's words.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::tool::{FunctionTool, ToolKind};
use serde::{Deserialize, Serialize};

use super::messages::{CacheControl, unsupported};
use crate::error::LlmError;

#[derive(Debug, Serialize)]
pub(super) struct WireTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Json,
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

/// The choice as it came in.
#[derive(Deserialize)]
#[serde(untagged)]
enum Choice {
    Word(String),
    Named { function: Named },
    Allowed { allowed_tools: Allowed },
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Allowed {
    mode: String,
    tools: Vec<AllowedTool>,
}

#[derive(Deserialize)]
struct AllowedTool {
    function: Named,
}

/// The tools, and which must be called.
pub(super) fn convert(
    options: &ChatOptions,
) -> Result<(Vec<WireTool<'_>>, Option<WireChoice>), LlmError> {
    if options.functions.is_some() || options.function_call.is_some() {
        return Err(unsupported("functions", "`functions`; use `tools`"));
    }
    let mut tools = Vec::new();
    for tool in options.tools.iter().flatten() {
        match (&tool.function, tool.r#type) {
            (Some(function), ToolKind::Function) => tools.push(convert_tool(function)?),
            _ => return Err(unsupported("tools", "custom tools")),
        }
    }
    if tools.is_empty() {
        return Ok((tools, None));
    }
    let serial = (options.parallel_tool_calls == Some(false)).then_some(true);
    let choice = match &options.tool_choice {
        None => serial.is_some().then_some(WireChoice::Auto {
            disable_parallel_tool_use: serial,
        }),
        Some(json) => {
            let choice: Choice = json
                .read()
                .map_err(|_| unsupported("tool_choice", "this `tool_choice`"))?;
            Some(match choice {
                Choice::Word(word) => by_word(&word, serial)?,
                Choice::Named { function } => WireChoice::Tool {
                    name: function.name,
                    disable_parallel_tool_use: serial,
                },
                Choice::Allowed { allowed_tools } => {
                    let allowed = allowed_tools.tools;
                    let is_allowed = |tool: &WireTool<'_>| {
                        allowed.iter().any(|it| it.function.name == tool.name)
                    };
                    tools.retain(is_allowed);
                    by_word(&allowed_tools.mode, serial)?
                }
            })
        }
    };
    Ok((tools, choice))
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
        _ => Err(unsupported("tool_choice", "this `tool_choice`")),
    }
}

fn convert_tool(function: &FunctionTool) -> Result<WireTool<'_>, LlmError> {
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
        cache_control: None,
    })
}
