//! Reasoning and the format of the answer.

use std::borrow::Cow;

use clawless_core::ApiError;
use clawless_core::chat::{ChatOptions, ReasoningEffort, ThinkingMode};
use clawless_core::json::Json;
use clawless_core::members::Members;
use serde::{Deserialize, Serialize};

use super::parameters::{ignore, missing, read_at};
use crate::fields::invalid;

/// The least budget of the API, in tokens.
const MIN_BUDGET: u32 = 1024;

/// What the beta feature of thinking between tool calls begins with.
const INTERLEAVED: &str = "interleaved-thinking-";

#[derive(Deserialize)]
struct IncomingThinking {
    r#type: String,
    budget_tokens: Option<u32>,
    display: Option<String>,
}

/// Reads the mode of reasoning. `effort` is the one that the client names.
///
/// # Errors
/// 400 for an unknown mode, and for a budget that is missing.
pub(super) fn read(
    thinking: Option<&Json>,
    effort: Option<ReasoningEffort>,
    options: &mut ChatOptions,
    ignored: &mut Vec<Cow<'static, str>>,
) -> Result<(), ApiError> {
    let Some(thinking) = thinking.filter(|it| it.as_str() != "null") else {
        options.reasoning_effort = effort;
        options.thinking = effort.map(|_| ThinkingMode::Unset);
        return Ok(());
    };
    let thinking: IncomingThinking = read_at(thinking, "thinking")?;
    let (mode, closest) = match thinking.r#type.as_str() {
        "disabled" => (ThinkingMode::Disabled, ReasoningEffort::None),
        "adaptive" => (
            ThinkingMode::Adaptive,
            effort.unwrap_or(ReasoningEffort::Adaptive),
        ),
        "enabled" => {
            let budget = thinking.budget_tokens;
            let budget = budget.ok_or_else(|| missing("thinking.budget_tokens"))?;
            (
                ThinkingMode::Budget(budget),
                effort.unwrap_or(closest(budget)),
            )
        }
        _ => {
            return Err(invalid(
                "thinking.type",
                "`thinking.type` is `enabled`, `adaptive` or `disabled`.",
            ));
        }
    };
    if thinking.display.is_some_and(|it| it != "summarized") {
        ignored.push("thinking.display".into());
    }
    options.thinking = Some(mode);
    options.reasoning_effort = Some(closest);
    Ok(())
}

/// The effort closest to a budget of tokens.
const fn closest(budget: u32) -> ReasoningEffort {
    match budget {
        ..2048 => ReasoningEffort::Minimal,
        2048..6144 => ReasoningEffort::Low,
        6144..12_288 => ReasoningEffort::Medium,
        12_288..20_480 => ReasoningEffort::High,
        20_480..32_000 => ReasoningEffort::Xhigh,
        _ => ReasoningEffort::Max,
    }
}

/// Checks the budget, which is a part of the output limit. With interleaved thinking it is that of all
/// thoughts between tool calls, and may be larger.
///
/// # Errors
/// 400 for a budget below the least one, or not below `max_tokens`.
pub(super) fn check_budget(options: &ChatOptions) -> Result<(), ApiError> {
    let Some(ThinkingMode::Budget(budget)) = options.thinking else {
        return Ok(());
    };
    let mut betas = options.betas.iter();
    let is_interleaved = betas.any(|beta| beta.starts_with(INTERLEAVED));
    let fits = is_interleaved || options.max_tokens.is_none_or(|max| budget < max);
    if budget >= MIN_BUDGET && fits {
        return Ok(());
    }
    Err(invalid(
        "thinking.budget_tokens",
        format!("`thinking.budget_tokens` is at least {MIN_BUDGET} and less than `max_tokens`."),
    ))
}

#[derive(Deserialize)]
struct OutputFormat {
    r#type: String,
    schema: Option<Json>,
}

/// Reads `output_config`, and the format of its beta version. Returns the effort.
///
/// # Errors
/// 400 for an unknown effort or format.
pub(super) fn read_output(
    config: Option<&Json>,
    older_format: Option<&Json>,
    options: &mut ChatOptions,
    ignored: &mut Vec<Cow<'static, str>>,
) -> Result<Option<ReasoningEffort>, ApiError> {
    let is_set = |json: &&Json| json.as_str() != "null";
    let (mut effort, mut format) = (None, None);
    let config = config.filter(is_set);
    let members: Option<Members> = config
        .map(|config| read_at(config, "output_config"))
        .transpose()?;
    for (name, value) in members.map(|it| it.0).into_iter().flatten() {
        match name.as_str() {
            "effort" => effort = read_effort(&value)?,
            "format" => format = Some(("output_config.format", value)),
            other => ignore(ignored, "output_config.", other),
        }
    }
    let older = older_format.filter(is_set);
    let format = format.or(older.map(|it| ("output_format", it.clone())));
    if let Some((path, format)) = format.filter(|(_, it)| it.as_str() != "null") {
        options.response_format = Some(response_format(&format, path)?);
    }
    Ok(effort)
}

fn read_effort(value: &Json) -> Result<Option<ReasoningEffort>, ApiError> {
    let path = "output_config.effort";
    let word: Option<String> = read_at(value, path)?;
    Ok(Some(match word.as_deref() {
        None => return Ok(None),
        Some("low") => ReasoningEffort::Low,
        Some("medium") => ReasoningEffort::Medium,
        Some("high") => ReasoningEffort::High,
        Some("xhigh") => ReasoningEffort::Xhigh,
        Some("max") => ReasoningEffort::Max,
        Some(_) => {
            let message = format!("`{path}` is `low`, `medium`, `high`, `xhigh` or `max`.");
            return Err(invalid(path, message));
        }
    }))
}

/// A JSON schema in the form of chat completions.
fn response_format(format: &Json, path: &str) -> Result<Json, ApiError> {
    #[derive(Serialize)]
    struct Format {
        r#type: &'static str,
        json_schema: JsonSchema,
    }
    #[derive(Serialize)]
    struct JsonSchema {
        name: &'static str,
        strict: bool,
        schema: Json,
    }
    let format: OutputFormat = read_at(format, path)?;
    let schema = format.schema.filter(|it| it.as_str().starts_with('{'));
    let Some(schema) = schema.filter(|_| format.r#type == "json_schema") else {
        let message = format!("`{path}` has the type `json_schema` and a `schema`, an object.");
        return Err(invalid(path, message));
    };
    let format = Format {
        r#type: "json_schema",
        json_schema: JsonSchema {
            name: "answer",
            strict: true,
            schema,
        },
    };
    Json::from_value(&format).map_err(ApiError::internal)
}
