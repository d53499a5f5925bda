//! Reading `tools` and `tool_choice`.

use super::fields::{Fields, wrong_type};
use crate::chat::{Tool, ToolChoice};
use crate::error::ApiError;
use serde_json::Value;

/// The offered functions. `supported`: whether the model was trained to call tools.
pub(crate) fn read(
    body: &Fields<'_>,
    supported: bool,
) -> Result<(Vec<Tool>, ToolChoice), ApiError> {
    if body.get("functions").is_some() {
        return Err(ApiError::invalid(
            "functions",
            "'functions' is not supported by the local model; use 'tools'.",
        ));
    }
    let tools: Vec<Tool> = body
        .array("tools")?
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, value)| tool(value, &format!("tools[{index}]")))
        .collect::<Result<_, _>>()?;
    let choice = choice(body, &tools)?;
    if !supported && !tools.is_empty() && choice != ToolChoice::None {
        return Err(ApiError::invalid(
            "tools",
            "This model was not trained to call tools.",
        ));
    }
    Ok((tools, choice))
}

fn tool(value: &Value, path: &str) -> Result<Tool, ApiError> {
    let fields = Fields::of(value, path)?;
    fields.required("type")?;
    let kind = fields.text("type")?.unwrap_or_default();
    if kind != "function" {
        return Err(ApiError::invalid(
            fields.name("type"),
            format!("The local model calls only functions, not '{kind}' tools."),
        ));
    }
    let function = Fields::of(fields.required("function")?, &fields.name("function"))?;
    function.required("name")?;
    Ok(Tool {
        name: function.text("name")?.unwrap_or_default().to_owned(),
        definition: value.clone(),
    })
}

fn choice(body: &Fields<'_>, tools: &[Tool]) -> Result<ToolChoice, ApiError> {
    let invalid = |message: String| Err(ApiError::invalid("tool_choice", message));
    let choice = match body.get("tool_choice") {
        None => return Ok(ToolChoice::Auto),
        Some(Value::String(choice)) => match choice.as_str() {
            "none" => return Ok(ToolChoice::None),
            "auto" => return Ok(ToolChoice::Auto),
            "required" => ToolChoice::Required,
            other => return invalid(format!("Invalid value: '{other}'.")),
        },
        Some(value @ Value::Object(_)) => {
            let fields = Fields::of(value, "tool_choice")?;
            if fields.text("type")? != Some("function") {
                return invalid("The local model takes only a named function here.".into());
            }
            let function = fields.required("function")?;
            let function = Fields::of(function, "tool_choice.function")?;
            function.required("name")?;
            let name = function.text("name")?.unwrap_or_default();
            if !tools.iter().any(|tool| tool.name == name) {
                return invalid(format!("There is no function '{name}' in 'tools'."));
            }
            ToolChoice::Named(name.to_owned())
        }
        Some(other) => return Err(wrong_type("tool_choice", "a string or an object", other)),
    };
    if tools.is_empty() {
        return invalid("'tool_choice' is only allowed when 'tools' are specified.".into());
    }
    Ok(choice)
}
