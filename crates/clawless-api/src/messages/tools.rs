//! Tools and the choice among them.

use std::borrow::Cow;

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::tool::{FunctionTool, Tool};
use clawless_core::{ApiError, ErrorCode};
use serde::{Deserialize, Serialize};

use super::parameters::{ignore, read_at};
use crate::fields::invalid;

/// The members of a tool that have a meaning here.
const KNOWN: [&str; 6] = [
    "type",
    "name",
    "description",
    "input_schema",
    "cache_control",
    "strict",
];

#[derive(Deserialize)]
struct IncomingTool {
    r#type: Option<String>,
    name: String,
    description: Option<String>,
    input_schema: Option<Json>,
    cache_control: Option<Json>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct Kind {
    r#type: Option<String>,
}

/// The tools. Members that have no meaning here are named in `ignored`.
///
/// # Errors
/// 400 for an invalid tool, and for tools of the provider: they run there at a price of their own,
/// which no profile has.
pub(super) fn read(
    tools: &[Json],
    ignored: &mut Vec<Cow<'static, str>>,
) -> Result<Vec<Tool>, ApiError> {
    let mut read = Vec::with_capacity(tools.len());
    for (position, raw) in tools.iter().enumerate() {
        let path = format!("tools[{position}]");
        let kind: Kind = read_at(raw, &path)?;
        if let Some(kind) = kind.r#type.filter(|kind| kind != "custom") {
            let path = format!("{path}.type");
            let message = format!(
                "Invalid `{path}`: `{kind}` is a tool of the provider, which is not offered here."
            );
            return Err(ApiError::new(ErrorCode::UnsupportedParameter, message).param(path));
        }
        let tool: IncomingTool = read_at(raw, &path)?;
        debug_assert!(tool.r#type.is_none_or(|kind| kind == "custom"));
        let members: Members = read_at(raw, &path)?;
        for (name, _) in members.without(&KNOWN).0 {
            ignore(ignored, "tools[].", &name);
        }
        let schema = tool.input_schema.filter(|it| it.as_str().starts_with('{'));
        let schema = schema.ok_or_else(|| {
            let path = format!("{path}.input_schema");
            let message = format!("Invalid `{path}`: a tool needs it, an object.");
            ApiError::new(ErrorCode::InvalidValue, message).param(path)
        })?;
        read.push(Tool {
            cache_control: tool.cache_control.filter(|it| it.as_str() != "null"),
            ..Tool::from(FunctionTool {
                name: tool.name,
                description: tool.description,
                parameters: Some(schema),
                strict: tool.strict,
                cache_control: None,
            })
        });
    }
    Ok(read)
}

#[derive(Deserialize)]
struct IncomingChoice {
    r#type: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

/// Reads the choice among the tools.
///
/// # Errors
/// 400 for an unknown kind of choice, and for a choice without a tool.
pub(super) fn read_choice(
    choice: Option<&Json>,
    options: &mut ChatOptions,
) -> Result<(), ApiError> {
    #[derive(Serialize)]
    struct Named {
        r#type: &'static str,
        function: Function,
    }
    #[derive(Serialize)]
    struct Function {
        name: String,
    }
    let Some(choice) = choice.filter(|choice| choice.as_str() != "null") else {
        return Ok(());
    };
    let choice: IncomingChoice = read_at(choice, "tool_choice")?;
    let word = |word: &str| Json::from_value(word);
    let translated = match choice.r#type.as_str() {
        "auto" => word("auto"),
        "any" => word("required"),
        "none" => word("none"),
        "tool" => {
            let name = choice.name.ok_or_else(|| {
                let name = "tool_choice.name";
                invalid(name, format!("A choice of type `tool` needs `{name}`."))
            })?;
            Json::from_value(&Named {
                r#type: "function",
                function: Function { name },
            })
        }
        _ => {
            return Err(invalid(
                "tool_choice.type",
                "`tool_choice.type` is `auto`, `any`, `tool` or `none`.",
            ));
        }
    };
    options.tool_choice = Some(translated.map_err(ApiError::internal)?);
    let is_serial = choice.disable_parallel_tool_use;
    options.parallel_tool_calls = is_serial.map(|is_serial| !is_serial);
    Ok(())
}
