//! Input encoding for the platform's text models.

use std::borrow::Cow;

use clawless_core::Message;
use clawless_core::Tokens;
use clawless_core::chat::{ChatOptions, Content, Part, ReasoningEffort, Role};
use clawless_core::json::Json;
use clawless_core::llm::{LlmRequest, ProviderKind};
use clawless_core::members::Members;
use clawless_core::model::{InputForm, Model, ThinkingStyle};
use clawless_core::tool::Tool;
use serde::{Deserialize, Serialize};

use crate::chat_form;
use crate::choice::{self, Choice};
use crate::error::LlmError;
use crate::legacy_functions;
use crate::openai;
use crate::options::{self, Extensions};
use crate::profile::Profile;
use crate::protocol::Mode;

/// The default output limit in tokens. The platform's default of 256 truncates most responses.
const DEFAULT_MAX_TOKENS: u32 = 2048;

#[derive(Serialize)]
struct Inputs<'a> {
    messages: Vec<Json>,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<&'a Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<ReasoningEffort>,
    #[serde(flatten)]
    extensions: Extensions<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

/// The platform expects the bare schema; the wire has a named wrapper around it.
#[derive(Serialize)]
struct Format {
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Json>,
}

/// The inputs for a request.
pub(super) fn inputs(
    request: &LlmRequest,
    model: Option<&Model>,
    mode: Mode,
) -> Result<Vec<u8>, LlmError> {
    if takes_openai(model) {
        return openai_form(request, model, mode);
    }
    let mut request = legacy_functions::in_tools(request)?;
    let mut marked = request.options.tools.iter().flatten();
    if marked.any(|tool| tool.cache_mark().is_some()) {
        let tools = request.to_mut().options.tools.iter_mut().flatten();
        tools.for_each(Tool::clear_cache_mark);
    }
    let request = &*request;
    let options = &request.options;
    reject_unsupported(options)?;
    let (tools, tool_choice) = tools(options)?;
    let messages = openai::messages::convert(&request.messages, profile(), true)?;
    let messages = messages.iter().enumerate();
    let messages = messages.map(|(position, it)| message(position, it));
    let inputs = Inputs {
        messages: messages.collect::<Result<_, _>>()?,
        max_tokens: max_tokens(request, model),
        temperature: options.temperature,
        top_p: options.top_p,
        seed: options.seed,
        frequency_penalty: options.frequency_penalty,
        presence_penalty: options.presence_penalty,
        response_format: options.response_format.as_ref().map(format).transpose()?,
        tools,
        tool_choice,
        reasoning_effort: effort(options.reasoning_effort, model),
        extensions: Extensions::new(options, profile()),
        stream: mode.is_stream().then_some(true),
    };
    serde_json::to_vec(&inputs).map_err(unreadable)
}

fn profile() -> &'static Profile {
    Profile::default_of(ProviderKind::WorkersAi)
}

fn takes_openai(model: Option<&Model>) -> bool {
    model.is_some_and(|model| model.inputs == InputForm::OpenAi)
}

/// The inputs of a model that uses `OpenAI`'s format.
fn openai_form(
    request: &LlmRequest,
    model: Option<&Model>,
    mode: Mode,
) -> Result<Vec<u8>, LlmError> {
    let mut request = request.clone();
    let limit = max_tokens(&request, model);
    let options = &mut request.options;
    let requested = options.reasoning_effort;
    options.limit_output(Tokens::new(limit.into()));
    options.reasoning_effort = effort(requested, model);
    let mut body = openai::encode::body(&request, profile(), model, mode)?;
    if requested == Some(ReasoningEffort::None) && can_disable_reasoning(model) {
        body.pop();
        body.extend_from_slice(br#","chat_template_kwargs":{"enable_thinking":false}}"#);
    }
    Ok(body)
}

/// Maps an effort to one of the platform's three.
fn effort(requested: Option<ReasoningEffort>, model: Option<&Model>) -> Option<ReasoningEffort> {
    use ReasoningEffort::{Adaptive, High, Low, Max, Medium, Minimal, Xhigh};
    match requested.filter(|_| thinks(model))? {
        ReasoningEffort::None if can_disable_reasoning(model) => None,
        ReasoningEffort::None | Minimal | Low => Some(Low),
        Medium => Some(Medium),
        High | Xhigh | Max => Some(High),
        Adaptive => None,
    }
}

/// Whether reasoning can be disabled.
fn can_disable_reasoning(model: Option<&Model>) -> bool {
    model.is_some_and(|model| model.thinking == ThinkingStyle::Adaptive)
}

/// The output limit. It is always sent, so that the decoder can detect a truncated response.
pub(super) fn max_tokens(request: &LlmRequest, model: Option<&Model>) -> u32 {
    let tokens = |it: Tokens| u32::try_from(it.get()).unwrap_or(u32::MAX);
    let limit = model.and_then(Model::output_limit);
    let limit = limit.map_or(u32::MAX, tokens);
    let longest = model.and_then(|model| model.max_output).map(tokens);
    let requested = request.options.max_output().or(longest);
    requested.unwrap_or(DEFAULT_MAX_TOKENS).min(limit)
}

fn thinks(model: Option<&Model>) -> bool {
    model.is_some_and(|model| model.thinking != ThinkingStyle::Unknown)
}

/// Parameters that are dropped because they do not affect correctness.
pub(super) fn dropped(request: &LlmRequest, model: Option<&Model>) -> Vec<Cow<'static, str>> {
    let options = &request.options;
    let effort = options.reasoning_effort;
    let hints = [
        (
            "reasoning_effort",
            !thinks(model) && effort.is_some_and(|it| it != ReasoningEffort::None),
        ),
        (
            "parallel_tool_calls",
            options.parallel_tool_calls.is_some() && !takes_openai(model),
        ),
        ("cache_control", openai::encode::has_cache_marks(request)),
        (
            chat_form::CITATIONS,
            chat_form::has_citations(&request.messages),
        ),
    ];
    let hints = hints.into_iter().filter(|(_, is_set)| *is_set);
    let hints = hints.map(|(name, _)| name);
    let labels = profile().drops.iter().copied();
    let labels = labels.filter(|name| options::is_set(options, name));
    let mut dropped: Vec<_> = hints.chain(labels).map(Cow::Borrowed).collect();
    dropped.extend(options::unknown(options, profile()));
    dropped
}

fn reject_unsupported(options: &ChatOptions) -> Result<(), LlmError> {
    let refused = [
        (
            "n",
            options.n.is_some_and(|n| n > 1),
            "more than one answer",
        ),
        ("stop", options.stop.is_some(), "stop texts"),
        (
            "logprobs",
            options.logprobs == Some(true) || options.top_logprobs.is_some_and(|n| n > 0),
            "log probabilities",
        ),
        (
            "logit_bias",
            options.logit_bias.is_some(),
            "a bias of tokens",
        ),
        (
            "modalities",
            options.modalities.iter().flatten().any(|it| it != "text"),
            "other output than text",
        ),
        ("audio", options.audio.is_some(), "audio"),
    ];
    match refused.into_iter().find(|(_, is_set, _)| *is_set) {
        Some((param, _, what)) => Err(unsupported(param, what)),
        None => Ok(()),
    }
}

/// The tools. A required tool is the only one offered, because the platform accepts no tool name.
fn tools(options: &ChatOptions) -> Result<(Vec<&Tool>, Option<&'static str>), LlmError> {
    let mut tools: Vec<&Tool> = options.tools.iter().flatten().collect();
    if tools.iter().any(|tool| tool.function.is_none()) {
        return Err(unsupported("tools", "custom tools"));
    }
    let Some(choice) = options.tool_choice.as_ref().filter(|_| !tools.is_empty()) else {
        choice::check_no_call_required(options)?;
        return Ok((tools, None));
    };
    let name = |tool: &Tool| tool.function.as_ref().map(|it| it.name.clone());
    let word = match Choice::read(choice)? {
        Choice::Word(word) => word,
        Choice::Named { function } => {
            tools.retain(|tool| name(tool).is_some_and(|it| it == function.name));
            "required".to_owned()
        }
        Choice::Allowed { allowed_tools } => {
            tools.retain(|tool| name(tool).is_some_and(|it| allowed_tools.has(&it)));
            allowed_tools.mode
        }
    };
    if tools.is_empty() {
        return Err(choice::no_matching_tool());
    }
    let word = match word.as_str() {
        "none" => "none",
        "required" => "required",
        _ => "auto",
    };
    Ok((tools, Some(word)))
}

fn format(requested: &Json) -> Result<Format, LlmError> {
    #[derive(Deserialize)]
    struct Requested {
        r#type: String,
        json_schema: Option<Schema>,
    }
    #[derive(Deserialize)]
    struct Schema {
        schema: Option<Json>,
    }
    let requested: Requested = requested
        .read()
        .map_err(|_| unsupported("response_format", "this `response_format`"))?;
    Ok(Format {
        r#type: requested.r#type,
        json_schema: requested.json_schema.and_then(|it| it.schema),
    })
}

/// A message unchanged, except for what the platform rejects: null content, a list of texts, the
/// role `developer`, and reasoning.
fn message(position: usize, message: &Message) -> Result<Json, LlmError> {
    let view = message.view().map_err(unreadable)?;
    let at = format!("messages[{position}].content");
    if view.audio.is_some() {
        return Err(unsupported(&format!("messages[{position}].audio"), "audio"));
    }
    let mut members: Members = message.raw().read().map_err(unreadable)?;
    members.0.retain(|(name, _)| {
        !matches!(
            name.as_str(),
            "reasoning_content" | "reasoning" | "thinking_blocks" | "refusal" | "role"
        )
    });
    let role = match message.role() {
        Role::Developer => Role::System,
        role => role,
    };
    let text = match view.content {
        Some(Content::Parts(parts)) if parts.iter().any(|it| matches!(it, Part::Image(_))) => None,
        Some(Content::Parts(parts))
            if parts
                .iter()
                .any(|it| matches!(it, Part::Audio | Part::File | Part::Extension(_))) =>
        {
            return Err(unsupported(&at, "audio, video and files"));
        }
        Some(content) => Some(content.texts().collect::<Vec<_>>().join("\n")),
        None => Some(view.refusal.unwrap_or_default()),
    };
    if let Some(text) = text {
        members.0.retain(|(name, _)| name != "content");
        let text = Json::from_value(&text).map_err(unreadable)?;
        members.0.insert(0, ("content".to_owned(), text));
    }
    let role = Json::from_value(&role).map_err(unreadable)?;
    members.0.insert(0, ("role".to_owned(), role));
    Json::from_value(&members).map_err(unreadable)
}

#[allow(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unreadable(error: serde_json::Error) -> LlmError {
    LlmError::Malformed(error.to_string())
}

fn unsupported(param: &str, what: &str) -> LlmError {
    LlmError::Unsupported {
        message: format!("This model does not take {what}."),
        param: param.to_owned(),
    }
}
