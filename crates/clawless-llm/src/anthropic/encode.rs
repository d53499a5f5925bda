//! Requests, written.

use clawless_core::chat::{Content, MessageView, Part, ReasoningEffort, Role};
use clawless_core::json::Json;
use clawless_core::llm::LlmRequest;
use clawless_core::model::{Model, ThinkingStyle};
use serde::{Deserialize, Serialize};

use super::messages::{self, Block, CacheControl, Conversation, WireMessage, unsupported};
use super::thinking::{self, Thinking};
use super::tools::{self, WireChoice, WireTool};
use crate::error::LlmError;
use crate::legacy_functions;
use crate::protocol::Mode;

/// The longest answer where neither the client nor the table of models says one.
const DEFAULT_MAX_TOKENS: u32 = 8192;

/// How long a prefix must be, in bytes, for the provider to be asked to cache it. The API caches
/// nothing below 1,024 tokens, for some models 4,096, and writing to the cache costs extra.
const CACHED_FROM_BYTES: usize = 16 * 1024;

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

/// A schema that the answer must match.
#[derive(Serialize)]
struct Format {
    r#type: &'static str,
    schema: Json,
}

/// The body of a request to a model of which this much is known.
pub(super) fn body(
    request: &LlmRequest,
    model: Option<&Model>,
    mode: Mode,
) -> Result<Vec<u8>, LlmError> {
    refuse(request)?;
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
    let may_start = !is_forced && messages::may_think(&request.messages, &request.model);
    let plan = thinking::plan(options.reasoning_effort, style, max_tokens, may_start);
    let thinker = plan.thinks.then_some(request.model.as_str());
    let Conversation {
        mut system,
        mut messages,
    } = messages::convert(&request.messages, thinker)?;
    if messages.is_empty() {
        return Err(unsupported("messages", "a conversation without a user"));
    }
    let format = format(options.response_format.as_ref(), &mut system)?;
    mark_for_cache(&mut tools, &mut system, &mut messages, request);
    // A model that thinks samples as it likes; some models take only one of the two.
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
        stream: (mode == Mode::Stream).then_some(true),
    };
    serde_json::to_vec(&wire).map_err(|error| LlmError::Malformed(error.to_string()))
}

/// What this wire cannot say, and what must not be dropped in silence.
fn refuse(request: &LlmRequest) -> Result<(), LlmError> {
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
    match refused.into_iter().find(|(_, is_asked, _)| *is_asked) {
        Some((param, _, what)) => Err(unsupported(param, what)),
        None => Ok(()),
    }
}

/// Whether schemas can be held to: by the same means as an answer by a schema.
fn may_be_strict(model: Option<&Model>) -> bool {
    model.is_none_or(|model| model.features.json_schema)
}

/// What is left out because that changes nothing that was promised: hints, labels, and repeatable
/// sampling, which is best effort everywhere.
pub(super) fn dropped(request: &LlmRequest, model: Option<&Model>) -> Vec<&'static str> {
    let options = &request.options;
    let effort = options.reasoning_effort;
    let style = model.map_or(ThinkingStyle::Unknown, |model| model.thinking);
    let thinks = style != ThinkingStyle::Unknown;
    let samples_freely = match style {
        ThinkingStyle::Unknown => true,
        ThinkingStyle::Budget => effort.is_none_or(|it| it == ReasoningEffort::None),
        ThinkingStyle::Adaptive => effort == Some(ReasoningEffort::None),
        ThinkingStyle::Always => false,
    };
    let hints = [
        ("seed", options.seed.is_some()),
        (
            "temperature",
            // This wire ends at 1.
            options
                .temperature
                .is_some_and(|it| it > 1.0 || !samples_freely),
        ),
        (
            "top_p",
            options.top_p.is_some() && (!samples_freely || options.temperature.is_some()),
        ),
        (
            "reasoning_effort",
            !thinks && effort.is_some_and(|it| it != ReasoningEffort::None),
        ),
        ("verbosity", options.verbosity.is_some()),
        ("service_tier", options.service_tier.is_some()),
        ("prediction", options.prediction.is_some()),
        ("store", options.store.is_some()),
        ("metadata", options.metadata.is_some()),
        ("prompt_cache_key", options.prompt_cache_key.is_some()),
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
            any(request, "\"detail\"", asks_for_detail),
        ),
    ];
    let named = hints.into_iter().filter(|(_, is_set)| *is_set);
    named.map(|(name, _)| name).collect()
}

/// Whether a message with this word in it is such a one. Few have the word; the others are not read.
fn any(request: &LlmRequest, word: &str, is_such: impl Fn(&MessageView) -> bool) -> bool {
    let mut messages = request.messages.iter();
    messages.any(|it| it.raw().as_str().contains(word) && it.view().is_ok_and(|it| is_such(&it)))
}

fn asks_for_detail(view: &MessageView) -> bool {
    let Some(Content::Parts(parts)) = &view.content else {
        return false;
    };
    let detail = |part: &Part| match part {
        Part::Image(image) => image.detail.as_deref().is_some_and(|it| it != "auto"),
        _ => false,
    };
    parts.iter().any(detail)
}

/// The longest answer. This wire must be told one, thoughts included.
fn max_tokens(request: &LlmRequest, model: Option<&Model>, style: ThinkingStyle) -> u32 {
    let limit = model.and_then(Model::longest_answer);
    let limit = limit.map(|limit| u32::try_from(limit.get()).unwrap_or(u32::MAX));
    let thoughts = match (request.options.reasoning_effort, style) {
        (Some(effort), style) if style != ThinkingStyle::Unknown => thinking::budget(effort),
        _ => 0,
    };
    let wanted = request.options.max_output();
    let wanted = wanted.unwrap_or(DEFAULT_MAX_TOKENS.saturating_add(thoughts));
    wanted.min(limit.unwrap_or(u32::MAX))
}

/// A schema goes out as such; that any JSON will do can only be asked for.
fn format(asked: Option<&Json>, system: &mut Vec<Block>) -> Result<Option<Format>, LlmError> {
    #[derive(Deserialize)]
    struct Asked {
        r#type: String,
        json_schema: Option<Schema>,
    }
    #[derive(Deserialize)]
    struct Schema {
        schema: Option<Json>,
    }
    let unknown = || unsupported("response_format", "this `response_format`");
    let Some(asked) = asked else {
        return Ok(None);
    };
    let asked: Asked = asked.read().map_err(|_| unknown())?;
    match asked.r#type.as_str() {
        "text" => Ok(None),
        "json_object" => {
            let wish = "Answer with one JSON object and nothing else: no Markdown, no comments.";
            system.push(Block::text(wish));
            Ok(None)
        }
        "json_schema" => {
            let schema = asked.json_schema.and_then(|it| it.schema);
            Ok(Some(Format {
                r#type: "json_schema",
                schema: schema.ok_or_else(unknown)?,
            }))
        }
        _ => Err(unknown()),
    }
}

/// Marks what is long and likely to come again: the tools and the system prompt, and the
/// conversation up to its last message.
fn mark_for_cache(
    tools: &mut [WireTool<'_>],
    system: &mut [Block],
    messages: &mut [WireMessage],
    request: &LlmRequest,
) {
    let (mut of_system, mut of_all) = (0, 0);
    for message in &request.messages {
        let bytes = message.raw().as_str().len();
        of_all += bytes;
        if matches!(message.role().as_str(), "system" | "developer") {
            of_system += bytes;
        }
    }
    let schemas = request.options.tools.iter().flatten();
    let schemas = schemas.filter_map(|tool| tool.function.as_ref()?.parameters.as_ref());
    let of_tools: usize = schemas.map(|schema| schema.as_str().len()).sum();
    if of_tools + of_system >= CACHED_FROM_BYTES {
        if let Some(last) = system.last_mut() {
            last.mark();
        } else if let Some(last) = tools.last_mut() {
            last.cache_control = Some(CacheControl::EPHEMERAL);
        }
    }
    if of_tools + of_all >= CACHED_FROM_BYTES && messages.len() > 1 {
        let last = messages.last_mut();
        if let Some(last) = last.and_then(|message| message.content.last_mut()) {
            last.mark();
        }
    }
}
