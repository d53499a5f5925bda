//! Tool encoding for the Messages API.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::llm::ProviderKind;
use clawless_core::tool::{FunctionTool, Tool, ToolKind};
use serde::Serialize;

use super::cache::{self, CacheControl};
use super::messages::unsupported;
use super::schema;
use crate::choice::{self, Choice};
use crate::error::LlmError;
use crate::profile::Profile;

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
    /// Whether a tool call is required: this cannot be combined with thinking.
    pub(super) const fn is_forced(&self) -> bool {
        matches!(self, Self::Any { .. } | Self::Tool { .. })
    }
}

/// The tools and the tool choice. `strict` is sent to models that support JSON schemas.
pub(super) fn convert(
    options: &ChatOptions,
    may_be_strict: bool,
) -> Result<(Vec<WireTool<'_>>, Option<WireChoice>), LlmError> {
    let mut tools = Vec::new();
    for (position, tool) in options.tools.iter().flatten().enumerate() {
        match (&tool.function, tool.r#type) {
            (Some(function), ToolKind::Function) => {
                check_name(&function.name)?;
                let mut converted = convert_tool(position, function, may_be_strict)?;
                let mark = tool.cache_mark().map(|_| CacheControl::EPHEMERAL);
                converted.cache_control = mark;
                tools.push(converted);
            }
            _ => return Err(unsupported("tools", "custom tools")),
        }
    }
    if tools.is_empty() {
        choice::check_no_call_required(options)?;
        return Ok((tools, None));
    }
    let serial = (options.parallel_tool_calls == Some(false)).then_some(true);
    let choice = match &options.tool_choice {
        None => serial.is_some().then_some(WireChoice::Auto {
            disable_parallel_tool_use: serial,
        }),
        Some(json) => Some(match Choice::read(json)? {
            Choice::Word(word) => choice_from_mode(&word, serial)?,
            Choice::Named { function } => WireChoice::Tool {
                name: function.name,
                disable_parallel_tool_use: serial,
            },
            Choice::Allowed { allowed_tools } => {
                tools.retain(|tool| allowed_tools.has(tool.name));
                choice_from_mode(&allowed_tools.mode, serial)?
            }
        }),
    };
    if tools.is_empty() {
        return Err(choice::no_matching_tool());
    }
    Ok((tools, choice))
}

/// Whether a function's arguments must match its schema exactly.
pub(super) fn are_strict(options: &ChatOptions) -> bool {
    let functions = options.tools.iter().flatten();
    let functions = functions.filter_map(|tool| tool.function.as_ref());
    let mut functions = functions.chain(options.functions.iter().flatten());
    functions.any(|function| function.strict == Some(true))
}

/// Whether a client requests a cache lifetime other than the default for tools.
pub(super) fn have_longer_lifetime(options: &ChatOptions) -> bool {
    let tools = options.tools.iter().flatten();
    let mut marks = tools.filter_map(Tool::cache_mark);
    marks.any(cache::is_longer)
}

fn choice_from_mode(
    word: &str,
    disable_parallel_tool_use: Option<bool>,
) -> Result<WireChoice, LlmError> {
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

/// Rejects a tool name that the API does not allow.
fn check_name(name: &str) -> Result<(), LlmError> {
    let rule = Profile::default_of(ProviderKind::Anthropic).tools.names;
    if rule.is_none_or(|rule| rule.allows(name)) {
        return Ok(());
    }
    Err(LlmError::Unsupported {
        message: format!("This model does not take a tool named `{name}`."),
        param: "tools".to_owned(),
    })
}

fn convert_tool(
    position: usize,
    function: &FunctionTool,
    may_be_strict: bool,
) -> Result<WireTool<'_>, LlmError> {
    let input_schema = schema::of(position, function)?;
    Ok(WireTool {
        name: &function.name,
        description: function.description.as_deref(),
        input_schema,
        strict: function.strict.filter(|strict| *strict && may_be_strict),
        cache_control: None,
    })
}
