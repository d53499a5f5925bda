//! Request encoding for the Messages API.

use std::borrow::Cow;

use clawless_core::chat::{Content, MessageView, Part, ReasoningEffort, Role, ThinkingMode};
use clawless_core::json::Json;
use clawless_core::llm::{LlmRequest, ProviderKind};
use clawless_core::model::{Model, ThinkingStyle};
use serde::{Deserialize, Serialize};

use super::cache;
use super::content_block::{Block, WireMessage};
use super::marks;
use super::messages::{self, Conversation, unsupported};
use super::thinking::{self, Plan, Thinking};
use super::tools::{self, WireChoice, WireTool};
use crate::error::LlmError;
use crate::legacy_functions;
use crate::options::{self, Extensions};
use crate::profile::Profile;
use crate::protocol::Mode;

/// The output limit of models without a known limit. The API requires one; every model since Claude
/// 4 accepts this value.
const DEFAULT_MAX_TOKENS: u32 = 32_000;

/// The first version of the models that accept no prefill: the conversation ends with the user.
const FIRST_WITHOUT_PREFILL: (u32, u32) = (4, 6);

/// The output limits of older models, by name prefix.
const OLDER_LIMITS: [(&str, u32); 3] = [
    ("claude-3-7", 64_000),
    ("claude-3-5", 8192),
    ("claude-3-", 4096),
];

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block>,
    messages: Vec<WireMessage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(flatten)]
    extensions: Option<Extensions<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Serialize, Default)]
struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

impl OutputConfig {
    const fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

/// A JSON schema for the response.
#[derive(Serialize)]
struct Format {
    r#type: &'static str,
    schema: Json,
}

/// The request body.
pub(super) fn body(
    request: &LlmRequest,
    model: Option<&Model>,
    signer: &str,
    profile: &Profile,
    mode: Mode,
) -> Result<Vec<u8>, LlmError> {
    reject_unsupported(request)?;
    let request = &*legacy_functions::in_tools(request)?;
    let options = &request.options;
    let (mut tools, tool_choice) = tools::convert(options, may_be_strict(model))?;
    let style = model.map_or(ThinkingStyle::Unknown, |model| model.thinking);
    let max_tokens = max_tokens(request, model, style);
    let is_forced = tool_choice.as_ref().is_some_and(WireChoice::is_forced);
    if is_forced && style == ThinkingStyle::Always {
        return Err(unsupported(
            "tool_choice",
            "a tool that must be called: it cannot stop thinking",
        ));
    }
    let plan = thinking_plan(request, signer, style, max_tokens, is_forced);
    // Whether other models think is not known.
    let may_think = plan.thinks || profile.messages.unsigned_thinking;
    let reasoning_model = may_think.then_some(signer);
    let Conversation {
        mut system,
        mut messages,
    } = messages::convert(&request.messages, reasoning_model)?;
    if messages.is_empty() {
        return Err(unsupported("messages", "a conversation without a user"));
    }
    if !takes_prefill(&request.model) && messages.last().is_some_and(|it| it.role != "user") {
        return Err(unsupported(
            "messages",
            "an answer to continue: the last message must be of the user or of a tool",
        ));
    }
    let format = format(options.response_format.as_ref(), &mut system)?;
    marks::apply(&mut tools, &mut system, &mut messages, request);
    // The API rejects sampling parameters while thinking is enabled, and some models accept only
    // one.
    let temperature = options.temperature.filter(|_| !plan.thinks);
    let top_p = options
        .top_p
        .filter(|_| !plan.thinks && temperature.is_none());
    let wire = WireRequest {
        model: &request.model,
        max_tokens,
        system,
        messages,
        tools,
        tool_choice,
        thinking: plan.thinking,
        output_config: OutputConfig {
            effort: plan.effort,
            format,
        },
        temperature: temperature.map(|it| it.min(1.0)),
        top_p,
        stop_sequences: options.stop.as_ref().map_or(&[], |stop| stop.texts()),
        metadata: options
            .safety_identifier
            .as_deref()
            .or(options.user.as_deref())
            .map(|user_id| Metadata { user_id }),
        extensions: (!plan.thinks).then(|| Extensions::new(options, profile)),
        stream: mode.is_stream().then_some(true),
    };
    serde_json::to_vec(&wire).map_err(|error| LlmError::Malformed(error.to_string()))
}

/// The thinking parameters. Thinking cannot start if a tool must be called.
fn thinking_plan(
    request: &LlmRequest,
    signer: &str,
    style: ThinkingStyle,
    max_tokens: u32,
    is_forced: bool,
) -> Plan {
    let may_start = !is_forced && messages::may_think(&request.messages, signer);
    let effort = request.options.reasoning_effort;
    match request.options.thinking {
        None => thinking::plan(effort, style, max_tokens, may_start),
        Some(mode) => thinking::plan_mode(mode, effort, style, max_tokens, may_start),
    }
}

/// Rejects parameters that the API does not support and that cannot be dropped safely.
fn reject_unsupported(request: &LlmRequest) -> Result<(), LlmError> {
    let options = &request.options;
    let is_set = |penalty: Option<f64>| penalty.is_some_and(|it| it != 0.0);
    let refused = [
        (
            "n",
            options.n.is_some_and(|n| n > 1),
            "more than one answer",
        ),
        (
            "logprobs",
            options.logprobs == Some(true) || options.top_logprobs.is_some_and(|n| n > 0),
            "log probabilities",
        ),
        (
            "logit_bias",
            options.logit_bias.as_ref().is_some_and(|it| !it.is_empty()),
            "a bias of tokens",
        ),
        (
            "presence_penalty",
            is_set(options.presence_penalty),
            "penalties",
        ),
        (
            "frequency_penalty",
            is_set(options.frequency_penalty),
            "penalties",
        ),
        (
            "modalities",
            options
                .modalities
                .as_ref()
                .is_some_and(|all| all.iter().any(|it| it != "text")),
            "other output than text",
        ),
        ("audio", options.audio.is_some(), "audio"),
        (
            "stop",
            options
                .stop
                .as_ref()
                .is_some_and(|stop| stop.texts().iter().any(|it| it.trim().is_empty())),
            "blank stop texts",
        ),
    ];
    match refused.into_iter().find(|(_, is_set, _)| *is_set) {
        Some((param, _, what)) => Err(unsupported(param, what)),
        None => Ok(()),
    }
}

/// Whether the model enforces tool schemas. Models that support structured output do.
fn may_be_strict(model: Option<&Model>) -> bool {
    model.is_none_or(|model| model.features.json_schema)
}

fn profile() -> &'static Profile {
    Profile::default_of(ProviderKind::Anthropic)
}

/// Parameters that are dropped because they do not affect correctness: hints, labels and the seed,
/// which is best effort at every provider.
pub(super) fn dropped(request: &LlmRequest, model: Option<&Model>) -> Vec<Cow<'static, str>> {
    let options = &request.options;
    let effort = options.reasoning_effort;
    let style = model.map_or(ThinkingStyle::Unknown, |model| model.thinking);
    let thinks = style != ThinkingStyle::Unknown || options.thinking.is_some();
    let has_free_sampling = match (options.thinking, style) {
        (Some(ThinkingMode::Budget(_) | ThinkingMode::Adaptive), ThinkingStyle::Unknown)
        | (_, ThinkingStyle::Always) => false,
        (_, ThinkingStyle::Unknown) | (Some(ThinkingMode::Unset), ThinkingStyle::Budget) => true,
        (_, ThinkingStyle::Budget) => effort.is_none_or(|it| it == ReasoningEffort::None),
        (_, ThinkingStyle::Adaptive) => effort == Some(ReasoningEffort::None),
    };
    let hints = [
        ("seed", options.seed.is_some()),
        (
            "temperature",
            // The maximum temperature of this API is 1.
            options
                .temperature
                .is_some_and(|it| it > 1.0 || !has_free_sampling),
        ),
        (
            "top_p",
            options.top_p.is_some() && (!has_free_sampling || options.temperature.is_some()),
        ),
        (
            "reasoning_effort",
            !thinks && effort.is_some_and(|it| it != ReasoningEffort::None),
        ),
        (
            "tools[].function.strict",
            !may_be_strict(model) && tools::are_strict(options),
        ),
        (
            "messages[].name",
            any(request, "\"name\"", |view| {
                view.name.is_some() && !matches!(view.role, Role::Tool | Role::Function)
            }),
        ),
        (
            "messages[].content[].image_url.detail",
            any(request, "\"detail\"", has_detail),
        ),
        (
            "messages[].content[].cache_control.ttl",
            request.messages.iter().any(cache::has_longer_lifetime),
        ),
        (
            "tools[].cache_control.ttl",
            tools::have_longer_lifetime(options),
        ),
        (
            "cache_control.ttl",
            marks::of_request(options).is_some_and(cache::is_longer),
        ),
        (
            "top_k",
            !has_free_sampling && options.extensions.iter().any(|(name, _)| name == "top_k"),
        ),
    ];
    let hints = hints.into_iter().filter(|(_, is_set)| *is_set);
    let hints = hints.map(|(name, _)| name);
    let labels = profile().drops.iter().copied();
    let labels = labels.filter(|name| options::is_set(options, name));
    let mut dropped: Vec<_> = hints.chain(labels).map(Cow::Borrowed).collect();
    let unknown = options::unknown(options, profile()).into_iter();
    dropped.extend(unknown.filter(|name| name != marks::PARAMETER));
    dropped
}

/// Whether a message that contains this word satisfies a predicate. Other messages are not parsed.
fn any(request: &LlmRequest, word: &str, condition: impl Fn(&MessageView) -> bool) -> bool {
    let mut messages = request.messages.iter();
    messages.any(|it| it.raw().as_str().contains(word) && it.view().is_ok_and(|it| condition(&it)))
}

fn has_detail(view: &MessageView) -> bool {
    let Some(Content::Parts(parts)) = &view.content else {
        return false;
    };
    let detail = |part: &Part| match part {
        Part::Image(image) => image.detail.as_deref().is_some_and(|it| it != "auto"),
        _ => false,
    };
    parts.iter().any(detail)
}

/// The output limit, reasoning included. The API requires one.
fn max_tokens(request: &LlmRequest, model: Option<&Model>, style: ThinkingStyle) -> u32 {
    let limit = model.and_then(Model::output_limit);
    let limit = limit.map(|limit| u32::try_from(limit.get()).unwrap_or(u32::MAX));
    let thoughts = match (request.options.reasoning_effort, style) {
        (Some(effort), style) if style != ThinkingStyle::Unknown => thinking::budget(effort),
        _ => 0,
    };
    let default = || match model.and_then(|model| model.max_output) {
        Some(limit) => u32::try_from(limit.get()).unwrap_or(u32::MAX),
        None => default_limit(&request.model).saturating_add(thoughts),
    };
    let requested = request.options.max_output().unwrap_or_else(default);
    requested.min(limit.unwrap_or(u32::MAX))
}

/// Whether a model continues an answer that the client has begun, by the version in its name:
/// `claude-opus-4-6`, also with a date, or in the form of other platforms.
fn takes_prefill(model: &str) -> bool {
    let Some((_, name)) = model.rsplit_once("claude-") else {
        return true;
    };
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let mut versions = words.skip_while(|word| word.parse::<u32>().is_err());
    let mut version = || versions.next().and_then(|word| word.parse::<u32>().ok());
    let Some(major) = version() else {
        return true;
    };
    // Older names have a date where the minor version would be.
    let minor = version().filter(|minor| *minor < 100).unwrap_or(0);
    (major, minor) < FIRST_WITHOUT_PREFILL
}

/// The output limit of a model that is not configured.
fn default_limit(model: &str) -> u32 {
    let mut older = OLDER_LIMITS.into_iter();
    let older = older.find(|(prefix, _)| model.starts_with(prefix));
    older.map_or(DEFAULT_MAX_TOKENS, |(_, limit)| limit)
}

/// The response format. A schema is sent; plain JSON mode can only be requested in the prompt.
fn format(requested: Option<&Json>, system: &mut Vec<Block>) -> Result<Option<Format>, LlmError> {
    #[derive(Deserialize)]
    struct Requested {
        r#type: String,
        json_schema: Option<Schema>,
    }
    #[derive(Deserialize)]
    struct Schema {
        schema: Option<Json>,
    }
    let unknown = || unsupported("response_format", "this `response_format`");
    let Some(requested) = requested else {
        return Ok(None);
    };
    let requested: Requested = requested.read().map_err(|_| unknown())?;
    match requested.r#type.as_str() {
        "text" => Ok(None),
        "json_object" => {
            let instruction =
                "Answer with one JSON object and nothing else: no Markdown, no comments.";
            system.push(Block::text(instruction));
            Ok(None)
        }
        "json_schema" => {
            let schema = requested.json_schema.and_then(|it| it.schema);
            Ok(Some(Format {
                r#type: "json_schema",
                schema: schema.ok_or_else(unknown)?,
            }))
        }
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_models_take_no_prefill() {
        for (model, expected) in [
            ("claude-3-5-sonnet-20241022", true),
            ("claude-sonnet-4-20250514", true),
            ("claude-opus-4-5", true),
            ("claude-haiku-4-5-20251001", true),
            ("claude-opus-4-6", false),
            ("claude-sonnet-4-6-20260205", false),
            ("anthropic.claude-opus-4-6-20260205-v1:0", false),
            ("anthropic/claude-opus-4.7", false),
            ("claude-opus-5", false),
            ("claude-x", true),
            ("another", true),
        ] {
            assert_eq!(takes_prefill(model), expected, "{model}");
        }
    }
}
