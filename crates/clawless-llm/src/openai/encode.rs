//! Request encoding for OpenAI-compatible servers, adapted by a provider's profile.

use std::borrow::Cow;

use clawless_core::Message;
use clawless_core::chat::{ChatOptions, ReasoningEffort};
use clawless_core::llm::LlmRequest;
use clawless_core::model::Model;
use clawless_core::tool::Tool;
use serde::{Deserialize, Serialize};

use super::{cache_lifetime, messages};
use crate::chat_form;
use crate::choice;
use crate::error::LlmError;
use crate::options::{self, Extensions};
use crate::profile::{OutputLimit, Profile, StreamUsage};
use crate::protocol::Mode;

/// Parameters that `OpenAI`'s own servers reject while a model reasons.
const REFUSED_WHILE_THINKING: [&str; 8] = [
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "stop",
];

/// Parameters that xAI's servers reject while a model reasons.
const REFUSED_BY_GROK: [&str; 3] = ["presence_penalty", "frequency_penalty", "stop"];

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    messages: Cow<'a, [Message]>,
    #[serde(flatten)]
    options: &'a ChatOptions,
    #[serde(flatten)]
    extensions: Extensions<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The request body. Requests usage for streams if the provider reports it only on request: the
/// ledger needs it.
pub(crate) fn body(
    request: &LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
    mode: Mode,
) -> Result<Vec<u8>, LlmError> {
    reject_unsupported(&request.options)?;
    check_tools(&request.options, profile)?;
    let options = options_for(request, profile, model);
    let requests_usage = mode == Mode::Stream && profile.stream_usage == StreamUsage::Requested;
    let wire = WireRequest {
        model: &request.model,
        messages: messages::convert(
            &request.messages,
            profile,
            !turns_thinking_off(&request.options),
        )?,
        options: &options,
        extensions: Extensions::new(&options, profile),
        stream: mode.is_stream().then_some(true),
        stream_options: requests_usage.then_some(StreamOptions {
            include_usage: true,
        }),
    };
    serde_json::to_vec(&wire).map_err(|error| LlmError::Malformed(error.to_string()))
}

/// The parameters that are dropped because this provider or model rejects them.
pub(crate) fn dropped(
    request: &LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
) -> Vec<Cow<'static, str>> {
    let options = &request.options;
    let refused = refused(request, profile, model);
    let mut dropped: Vec<_> = refused.map(Cow::Borrowed).collect();
    if profile.drops.contains(&"messages[].name") && has_names(&request.messages) {
        dropped.push(Cow::Borrowed("messages[].name"));
    }
    if !profile.messages.cache_marks && has_cache_marks(request) {
        dropped.push(Cow::Borrowed("cache_control"));
    } else if has_cache_lifetimes(request) {
        dropped.push(Cow::Borrowed("cache_control.ttl"));
    }
    if chat_form::has_citations(&request.messages) {
        dropped.push(Cow::Borrowed(chat_form::CITATIONS));
    }
    dropped.extend(options::unknown(options, profile));
    dropped
}

/// Whether the client marked messages or tools for the prompt cache.
pub(crate) fn has_cache_marks(request: &LlmRequest) -> bool {
    has_marked_tools(&request.options) || request.messages.iter().any(messages::has_cache_mark)
}

/// Whether the client marked anything for longer than the default, which has a price of its own.
fn has_cache_lifetimes(request: &LlmRequest) -> bool {
    let mut tools = request.options.tools.iter().flatten();
    tools.any(cache_lifetime::is_set_in_tool) || request.messages.iter().any(cache_lifetime::is_set)
}

fn has_marked_tools(options: &ChatOptions) -> bool {
    let mut tools = options.tools.iter().flatten();
    tools.any(|tool| tool.cache_mark().is_some())
}

/// The names of the request's parameters that the provider rejects.
fn refused(
    request: &LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
) -> impl Iterator<Item = &'static str> {
    let options = &request.options;
    let while_thinking: &[&str] = match profile.name {
        "openai" | "azure" if thinks(request, model) => &REFUSED_WHILE_THINKING,
        "xai" if thinks(request, model) => &REFUSED_BY_GROK,
        _ => &[],
    };
    let names = profile.drops.iter().chain(while_thinking).copied();
    let names = names.filter(|name| options::is_set(options, name) && !is_neutral(options, name));
    let is_dropped = profile.drops.contains(&"service_tier");
    let priced = (!is_dropped && changes_price(options)).then_some("service_tier");
    let is_long = options
        .user
        .as_ref()
        .is_some_and(|user| user.len() > max_user_bytes(profile));
    let user = is_long.then_some("user");
    names.chain(priced).chain(user)
}

/// The longest `user` that a provider accepts, as other gateways report it. Coding clients send longer
/// ones.
const fn max_user_bytes(profile: &Profile) -> usize {
    match profile.name.as_bytes() {
        b"openai" | b"azure" => 64,
        b"openrouter" => 128,
        _ => usize::MAX,
    }
}

/// Whether a request asks for a service tier with a price of its own.
fn changes_price(options: &ChatOptions) -> bool {
    let tier = options.service_tier.as_deref();
    tier.is_some_and(|tier| !matches!(tier, "auto" | "default"))
}

/// Whether a parameter has its default value.
fn is_neutral(options: &ChatOptions, name: &str) -> bool {
    match name {
        "temperature" => options.temperature == Some(1.0),
        "top_p" => options.top_p == Some(1.0),
        "presence_penalty" => options.presence_penalty == Some(0.0),
        "frequency_penalty" => options.frequency_penalty == Some(0.0),
        "logprobs" => options.logprobs == Some(false),
        _ => false,
    }
}

/// Whether a model of `OpenAI` or xAI will reason.
fn thinks(request: &LlmRequest, model: Option<&Model>) -> bool {
    let can_reason =
        model.is_some_and(Model::supports_thinking) || is_reasoning_model(&request.model);
    can_reason && request.options.reasoning_effort != Some(ReasoningEffort::None)
}

/// Whether the request turns thinking off, with `reasoning_effort` or with `thinking`.
fn turns_thinking_off(options: &ChatOptions) -> bool {
    #[derive(Deserialize)]
    struct Thinking {
        r#type: String,
    }
    let mut extensions = options.extensions.iter();
    let thinking = extensions.find(|(name, _)| name == "thinking");
    let thinking: Option<Thinking> = thinking.and_then(|(_, value)| value.read().ok());
    options.reasoning_effort == Some(ReasoningEffort::None)
        || thinking.is_some_and(|it| it.r#type == "disabled")
}

/// Whether a name is one of the reasoning models: `o3-mini`, `gpt-5`, `grok-4`, …; their variants
/// for chat are not.
fn is_reasoning_model(name: &str) -> bool {
    let is_series = |prefix: &str, from: u32| {
        let rest = name.strip_prefix(prefix)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(digits.parse::<u32>().ok()? >= from)
    };
    let is_new = is_series("o", 1) == Some(true) || is_series("gpt-", 5) == Some(true);
    let is_grok = ["grok-4", "grok-3-mini", "grok-code"];
    let is_grok = is_grok.iter().any(|series| name.starts_with(series));
    (is_new || is_grok) && !name.contains("chat") && !name.contains("non-reasoning")
}

/// The options adapted to the provider. Borrowed if nothing changes.
fn options_for<'a>(
    request: &'a LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
) -> Cow<'a, ChatOptions> {
    let mut options = Cow::Borrowed(&request.options);
    if options.reasoning_effort == Some(ReasoningEffort::Adaptive) {
        // This wire has no such value; the server's default is the closest.
        options.to_mut().reasoning_effort = None;
    }
    if must_rename_limit(&options, profile.output_limit) {
        let limit = options.max_output();
        let options = options.to_mut();
        (options.max_tokens, options.max_completion_tokens) = match profile.output_limit {
            OutputLimit::MaxTokens => (limit, None),
            OutputLimit::AsSent | OutputLimit::MaxCompletionTokens => (None, limit),
        };
    }
    if let Some(choice) = options.tool_choice.as_ref()
        && let Cow::Owned(choice) = choice::in_openai_form(choice)
    {
        options.to_mut().tool_choice = Some(choice);
    }
    if profile.messages.cache_marks && has_cache_lifetimes(request) {
        for tool in options.to_mut().tools.iter_mut().flatten() {
            cache_lifetime::remove_from_tool(tool);
        }
    }
    if !profile.messages.cache_marks && has_marked_tools(&options) {
        let tools = options.to_mut().tools.iter_mut().flatten();
        tools.for_each(Tool::clear_cache_mark);
    }
    let refused: Vec<&str> = refused(request, profile, model).collect();
    for name in refused {
        options::clear(options.to_mut(), name);
    }
    for (name, renamed) in profile.renames {
        options::rename(&mut options, name, renamed);
    }
    options
}

const fn must_rename_limit(options: &ChatOptions, limit: OutputLimit) -> bool {
    match limit {
        OutputLimit::AsSent => false,
        OutputLimit::MaxTokens => options.max_completion_tokens.is_some(),
        OutputLimit::MaxCompletionTokens => options.max_tokens.is_some(),
    }
}

fn has_names(messages: &[Message]) -> bool {
    let mut messages = messages.iter();
    messages.any(|message| {
        message.raw().as_str().contains("\"name\"")
            && message.view().is_ok_and(|view| view.name.is_some())
    })
}

/// Rejects tools that the provider would reject: too many, or with invalid names.
fn check_tools(options: &ChatOptions, profile: &Profile) -> Result<(), LlmError> {
    let rules = profile.tools;
    let tools = options.tools.as_deref().unwrap_or_default();
    let unsupported = |message: String| LlmError::Unsupported {
        message,
        param: "tools".to_owned(),
    };
    if let Some(max) = rules.max.filter(|max| tools.len() > *max) {
        return Err(unsupported(format!(
            "This model takes {max} tools at most."
        )));
    }
    let Some(names) = rules.names else {
        return Ok(());
    };
    let mut names_of_tools = tools.iter().filter_map(Tool::name);
    match names_of_tools.find(|name| !names.allows(name)) {
        Some(name) => Err(unsupported(format!(
            "This model does not take a tool named `{name}`: a name has at most {} letters, digits \
             and characters of `{}`.",
            names.max, names.beside_alphanumeric
        ))),
        None => Ok(()),
    }
}

/// Rejects parameters whose responses the gateway cannot represent.
fn reject_unsupported(options: &ChatOptions) -> Result<(), LlmError> {
    let mut modalities = options.modalities.iter().flatten();
    let param = if modalities.any(|it| it != "text") {
        "modalities"
    } else if options.audio.is_some() {
        "audio"
    } else {
        return Ok(());
    };
    Err(LlmError::Unsupported {
        message: "Answers are texts here; audio and other modalities are not carried.".to_owned(),
        param: param.to_owned(),
    })
}

#[cfg(test)]
mod tests;
