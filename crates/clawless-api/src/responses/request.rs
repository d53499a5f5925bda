//! Parsing and validation of `POST /v1/responses`.

mod echo_members;

use std::borrow::Cow;
use std::collections::BTreeMap;

use clawless_core::chat::{
    ChatOptions, CompletionRequest, Message, ReasoningEffort, Role, Storing, TurnOptions,
};
use clawless_core::json::Json;
use clawless_core::{ApiError, ErrorCode, RequestId, SessionId};
use garde::Validate;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::echo::ResponseEcho;
use super::ids::request_of_response;
use super::ignored::Ignored;
use super::items;
use super::reader::Reader;
use super::rendering::{ResponsesRendering, parameter_name};
use super::tools::{self, TextConfig, Tools};
use crate::body;
use crate::chat::{extensions, unparsed_json};
use crate::fields::{self, check_model, check_session_id, invalid};
use crate::parsed::Parsed;

/// Values of `include` that belong to hosted tools, which do not exist here: there is nothing to
/// include.
const WITHOUT_EFFECT: [&str; 6] = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
];

/// Names of chat completions whose values this surface has under other names. As unknown parameters
/// they would reach the provider twice.
const OF_CHAT: [&str; 16] = [
    "messages",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "logprobs",
    "logit_bias",
    "response_format",
    "functions",
    "function_call",
    "reasoning_effort",
    "verbosity",
    "modalities",
    "audio",
    "prediction",
];

/// The members of a request.
#[derive(Debug)]
struct Members {
    request: CompletionRequest,
    echo: ResponseEcho,
    ignored: Vec<String>,
}

/// The members of the body. Members that name identity or limits are rejected; other unknown members
/// become extensions.
#[derive(Debug, Deserialize)]
struct IncomingRequest {
    model: String,
    input: Option<Json>,
    instructions: Option<String>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    tools: Option<Vec<Json>>,
    tool_choice: Option<Json>,
    text: Option<Json>,
    reasoning: Option<Json>,
    truncation: Option<Truncation>,
    max_output_tokens: Option<u32>,
    max_tool_calls: Option<u32>,
    parallel_tool_calls: Option<bool>,
    metadata: Option<BTreeMap<String, String>>,
    include: Option<Vec<String>>,
    service_tier: Option<String>,
    prompt_cache_key: Option<String>,
    safety_identifier: Option<String>,
    user: Option<String>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_logprobs: Option<u8>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    store: Option<bool>,
    previous_response_id: Option<String>,
    conversation: Option<Json>,
    background: Option<bool>,
    prompt: Option<IgnoredAny>,
    tenant_id: Option<IgnoredAny>,
    role: Option<IgnoredAny>,
    quota: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    include_obfuscation: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Truncation {
    Auto,
    Disabled,
}

/// The parameter `include`.
#[derive(Debug, Default)]
struct Include {
    opaque: bool,
    logprobs: bool,
}

/// The parameter `reasoning`.
#[derive(Debug, Default)]
struct Reasoning {
    effort: Option<ReasoningEffort>,
    summary: Option<String>,
}

/// The ids of the stored items that a body refers to. Empty for a body that [`parse`] rejects.
pub fn references(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Input {
        input: Json,
    }
    let input = body::text(body).and_then(body::read::<Input>);
    input.map_or_else(|_| Vec::new(), |it| items::references(&it.input))
}

/// Parses and validates a request body. `known` has the stored items that the body refers to, by
/// their id.
///
/// # Errors
/// 400 that names the invalid parameter; 404 for a reference to an unknown item, and for a
/// `previous_response_id` that cannot exist.
pub fn parse(
    body: &[u8],
    known: &[(String, Json)],
) -> Result<Parsed<ResponsesRendering>, ApiError> {
    let parsed = parse_members(body, known)?;
    Ok(Parsed {
        request: parsed.request,
        rendering: ResponsesRendering::of_request(parsed.echo),
        ignored: parsed.ignored.into_iter().map(Cow::Owned).collect(),
    })
}

/// Parses the body of `POST /v1/responses/input_tokens`: that of a response that is not stored.
///
/// # Errors
/// As [`parse`].
pub fn parse_count(body: &[u8], known: &[(String, Json)]) -> Result<CompletionRequest, ApiError> {
    let mut request = parse_members(body, known)?.request;
    request.turn.storing = Storing::Never;
    Ok(request)
}

fn parse_members(body: &[u8], known: &[(String, Json)]) -> Result<Members, ApiError> {
    let text = body::plain_text(body)?;
    let mut incoming: IncomingRequest = body::read(text)?;
    fields::reject_identity([
        ("tenant_id", &incoming.tenant_id),
        ("role", &incoming.role),
        ("quota", &incoming.quota),
    ])?;
    incoming.reject_unsupported()?;
    let names = [extensions::fields::<IncomingRequest>(), &[]];
    let extensions = body::read_seed(text, extensions::Unknown(names))?;
    if let Some((name, _)) = extensions
        .iter()
        .find(|(it, _)| OF_CHAT.contains(&it.as_str()))
    {
        let message = format!("`{name}` is a parameter of chat completions, not of responses.");
        return Err(ApiError::new(ErrorCode::UnknownParameter, message).param(name.as_str()));
    }
    let mut ignored = Ignored::default();
    let stream = incoming.check_stream(&mut ignored)?;
    let previous = incoming.previous()?;
    let session_id = incoming.session()?;
    let include = incoming.include()?;
    let reasoning = incoming.reasoning(&mut ignored)?;
    let text_config = TextConfig::read(incoming.text.as_ref(), &mut ignored)?;
    let tools = Tools::read(incoming.tools.as_deref().unwrap_or_default(), &mut ignored)?;
    let echo = ResponseEcho {
        members: incoming.echo(&reasoning, &text_config, &tools, session_id.as_ref())?,
        has_summary: reasoning.summary.is_some(),
        has_opaque: include.opaque,
        has_logprobs: include.logprobs,
        namespaces: tools.namespaces.clone(),
    };
    let model = check_model(std::mem::take(&mut incoming.model))?;
    let (messages, transient) = incoming.messages(known, &mut ignored)?;
    let server_tools = (!tools.server.is_empty()).then_some(tools.server);
    let mut options = incoming.options(&include, &reasoning)?;
    options.response_format = text_config.format;
    options.verbosity = text_config.verbosity;
    options.tools = (!tools.own.is_empty()).then_some(tools.own);
    options.extensions = extensions;
    options
        .validate()
        .map_err(|report| invalid_option(&report))?;
    unparsed_json::check(&options).map_err(in_own_names)?;
    let storing = if incoming.store.unwrap_or(true) {
        Storing::Always
    } else {
        Storing::Never
    };
    Ok(Members {
        request: CompletionRequest {
            model,
            messages,
            stream,
            session_id,
            options,
            turn: TurnOptions {
                transient,
                previous,
                storing,
                server_tools,
                max_tool_calls: incoming.max_tool_calls,
                needs_whole_history: incoming.truncation == Some(Truncation::Disabled),
            },
        },
        echo,
        ignored: ignored.into_names(),
    })
}

impl IncomingRequest {
    fn reject_unsupported(&self) -> Result<(), ApiError> {
        if self.background == Some(true) {
            let message = "`background` is not supported: stream the response, or wait for it.";
            return Err(invalid("background", message));
        }
        if self.prompt.is_some() {
            let message = "`prompt` is not supported: this service stores no prompt templates.";
            return Err(invalid("prompt", message));
        }
        if self.max_tool_calls == Some(0) {
            return Err(invalid("max_tool_calls", "`max_tool_calls` is at least 1."));
        }
        if self.previous_response_id.is_some() && self.conversation.is_some() {
            let message = "`previous_response_id` and `conversation` exclude each other.";
            return Err(invalid("previous_response_id", message));
        }
        Ok(())
    }

    fn check_stream(&self, ignored: &mut Ignored) -> Result<bool, ApiError> {
        let stream = self.stream.unwrap_or(false);
        if let Some(options) = &self.stream_options {
            if !stream {
                let message = "`stream_options` requires `stream: true`.";
                return Err(invalid("stream_options", message));
            }
            if options.include_obfuscation == Some(true) {
                ignored.add("stream_options.include_obfuscation");
            }
        }
        Ok(stream)
    }

    fn previous(&self) -> Result<Option<RequestId>, ApiError> {
        let Some(id) = &self.previous_response_id else {
            return Ok(None);
        };
        match request_of_response(id) {
            Some(request) => Ok(Some(request)),
            None => Err(response_not_found().param("previous_response_id")),
        }
    }

    /// The session that `conversation` names: an id, or an object with one.
    fn session(&self) -> Result<Option<SessionId>, ApiError> {
        let Some(conversation) = &self.conversation else {
            return Ok(None);
        };
        let id: String = if conversation.as_str().starts_with('"') {
            conversation.read().map_err(ApiError::internal)?
        } else {
            Reader::new(conversation, "conversation".to_owned())?.require("id")?
        };
        check_session_id(&id, "conversation").map(Some)
    }

    fn include(&self) -> Result<Include, ApiError> {
        let mut include = Include {
            logprobs: self.top_logprobs.is_some_and(|count| count > 0),
            ..Include::default()
        };
        for value in self.include.iter().flatten() {
            match value.as_str() {
                "reasoning.encrypted_content" => include.opaque = true,
                "message.output_text.logprobs" => include.logprobs = true,
                other if WITHOUT_EFFECT.contains(&other) => {}
                _ => return Err(invalid("include", "`include` has an unknown value.")),
            }
        }
        Ok(include)
    }

    fn reasoning(&self, ignored: &mut Ignored) -> Result<Reasoning, ApiError> {
        let Some(reasoning) = &self.reasoning else {
            return Ok(Reasoning::default());
        };
        let mut reasoning = Reader::new(reasoning, "reasoning".to_owned())?;
        let effort = reasoning.take("effort")?;
        let mut summary: Option<String> = None;
        for name in ["summary", "generate_summary"] {
            let value: Option<String> = reasoning.take(name)?;
            if let Some(value) = &value
                && !["auto", "concise", "detailed"].contains(&value.as_str())
            {
                let reason = "expected `auto`, `concise` or `detailed`";
                return Err(reasoning.unsupported(name, reason));
            }
            summary = summary.or(value);
        }
        for (name, value) in &reasoning.rest(&[]).0 {
            if value.as_str() != "null" {
                ignored.add(format!("reasoning.{name}"));
            }
        }
        Ok(Reasoning { effort, summary })
    }

    /// The messages, and how many of them are not stored.
    fn messages(
        &self,
        known: &[(String, Json)],
        ignored: &mut Ignored,
    ) -> Result<(Vec<Message>, usize), ApiError> {
        let Some(input) = &self.input else {
            let message = "You must provide the parameter `input`.";
            return Err(ApiError::new(ErrorCode::MissingParameter, message).param("input"));
        };
        let instructions = self.instructions.as_deref().filter(|text| !text.is_empty());
        let instructions = instructions.map(|text| Message::text(Role::System, text));
        let mut messages: Vec<Message> = instructions
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(ApiError::internal)?;
        let transient = messages.len();
        messages.extend(items::read(input, known, ignored)?);
        Ok((messages, transient))
    }

    fn options(
        &mut self,
        include: &Include,
        reasoning: &Reasoning,
    ) -> Result<ChatOptions, ApiError> {
        let choice = self.tool_choice.as_ref().map(tools::choice).transpose()?;
        Ok(ChatOptions {
            temperature: self.temperature,
            top_p: self.top_p,
            max_completion_tokens: self.max_output_tokens,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            logprobs: include.logprobs.then_some(true),
            top_logprobs: self.top_logprobs.filter(|&count| count > 0),
            tool_choice: choice,
            parallel_tool_calls: self.parallel_tool_calls,
            reasoning_effort: reasoning.effort,
            service_tier: self.service_tier.take(),
            // Labels of the stored response; providers do not get them.
            metadata: None,
            user: self.user.take(),
            safety_identifier: self.safety_identifier.take(),
            prompt_cache_key: self.prompt_cache_key.take(),
            ..ChatOptions::default()
        })
    }
}

/// The error for every response that the caller cannot use: never created, not stored, deleted,
/// expired, or another tenant's.
pub fn response_not_found() -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, "There is no such response.")
}

/// Checks labels by the rules of [`ChatOptions`].
pub(super) fn check_metadata(metadata: Option<&BTreeMap<String, String>>) -> Result<(), ApiError> {
    let options = ChatOptions {
        metadata: metadata.cloned(),
        ..ChatOptions::default()
    };
    options
        .validate()
        .map_err(|report| body::invalid_value(&report))
}

/// An invalid option, under this surface's name of it.
fn invalid_option(report: &garde::Report) -> ApiError {
    in_own_names(body::invalid_value(report))
}

fn in_own_names(mut error: ApiError) -> ApiError {
    if let Some(param) = &mut error.param {
        let own = parameter_name(param).to_owned();
        error.message = error.message.replace(param.as_str(), &own);
        *param = own;
    }
    error
}

#[cfg(test)]
#[path = "request/tests.rs"]
mod tests;
