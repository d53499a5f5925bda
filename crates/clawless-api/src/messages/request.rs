//! Parsing and validation of `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use std::borrow::Cow;

use clawless_core::chat::{ChatOptions, CompletionRequest, Stop, TurnOptions};
use clawless_core::json::Json;
use clawless_core::{ApiError, ErrorCode};
use garde::Validate;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::THREAD;
use super::headers::Headers;
use super::parameters::{ignore, missing, read_at};
use super::rendering::MessagesRendering;
use super::{content, thinking, tools};
use crate::body;
use crate::chat::{extensions, unparsed_json};
use crate::fields::{self, check_model, check_session_id, invalid};
use crate::parsed::Parsed;

/// The most stop sequences of a request.
const MAX_STOP_SEQUENCES: usize = 64;
/// The longest stop sequence, in bytes.
const MAX_STOP_BYTES: usize = 4096;

/// The members of the body. Members that name identity or limits are rejected; other unknown members
/// become extensions, and the provider's profile decides about them.
#[derive(Debug, Deserialize)]
struct IncomingRequest {
    model: String,
    messages: Vec<Json>,
    max_tokens: Option<u32>,
    system: Option<Json>,
    metadata: Option<Json>,
    stop_sequences: Option<Vec<String>>,
    stream: Option<bool>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u32>,
    tools: Option<Vec<Json>>,
    tool_choice: Option<Json>,
    thinking: Option<Json>,
    output_config: Option<Json>,
    output_format: Option<Json>,
    service_tier: Option<String>,
    session_id: Option<String>,
    thread: Option<IgnoredAny>,
    tenant_id: Option<IgnoredAny>,
    role: Option<IgnoredAny>,
    quota: Option<IgnoredAny>,
}

/// Parses and validates a request for an answer. Content blocks are kept byte for byte.
///
/// # Errors
/// 400 that names the invalid parameter, or the header that is missing.
pub fn parse(headers: &Headers<'_>, body: &[u8]) -> Result<Parsed<MessagesRendering>, ApiError> {
    let parsed = read(headers, body)?;
    match parsed.request.options.max_tokens {
        Some(_) => Ok(parsed),
        None => Err(missing("max_tokens")),
    }
}

/// Parses and validates a request to count the tokens of a request, which needs no `max_tokens`.
///
/// # Errors
/// As [`parse`].
pub fn parse_count(headers: &Headers<'_>, body: &[u8]) -> Result<CompletionRequest, ApiError> {
    Ok(read(headers, body)?.request)
}

/// Translates a body into a request.
fn read(headers: &Headers<'_>, body: &[u8]) -> Result<Parsed<MessagesRendering>, ApiError> {
    let betas = headers.betas()?;
    let text = body::plain_text(body)?;
    let mut incoming: IncomingRequest = body::read(text)?;
    fields::reject_identity([
        ("tenant_id", &incoming.tenant_id),
        ("role", &incoming.role),
        ("quota", &incoming.quota),
    ])?;
    incoming.reject_thread()?;
    let mut ignored: Vec<Cow<'static, str>> = Vec::new();
    let mut options = ChatOptions {
        max_tokens: incoming.max_tokens,
        betas,
        ..ChatOptions::default()
    };
    let unknown = [extensions::fields::<IncomingRequest>(), &[]];
    options.extensions = body::read_seed(text, extensions::Unknown(unknown))?;
    options
        .extensions
        .retain(|(_, value)| value.as_str() != "null");
    incoming.sampling(&mut options)?;
    options.user = user(incoming.metadata.as_ref(), &mut ignored)?;
    options.service_tier = service_tier(incoming.service_tier.take())?;
    let tools = incoming.tools.take();
    options.tools = tools
        .map(|tools| tools::read(&tools, &mut ignored))
        .transpose()?;
    tools::read_choice(incoming.tool_choice.as_ref(), &mut options)?;
    let output = incoming.output_config.as_ref();
    let effort = thinking::read_output(
        output,
        incoming.output_format.as_ref(),
        &mut options,
        &mut ignored,
    )?;
    thinking::read(
        incoming.thinking.as_ref(),
        effort,
        &mut options,
        &mut ignored,
    )?;
    thinking::check_budget(&options)?;
    unparsed_json::check(&options)?;
    options
        .validate()
        .map_err(|report| body::invalid_value(&report))?;
    let stop_sequences = incoming.stop_sequences.take().unwrap_or_default();
    check_stop_sequences(&stop_sequences)?;
    let model = check_model(incoming.model)?;
    let system = content::system(incoming.system.as_ref())?;
    let mut messages: Vec<_> = system.into_iter().collect();
    messages.extend(content::messages(&incoming.messages)?);
    if !stop_sequences.is_empty() {
        options.stop = Some(Stop::new(stop_sequences.clone()));
    }
    let request = CompletionRequest {
        model,
        messages,
        stream: incoming.stream.unwrap_or(false),
        session_id: incoming
            .session_id
            .map(|id| check_session_id(&id, "session_id"))
            .transpose()?,
        options,
        turn: TurnOptions::default(),
    };
    Ok(Parsed {
        request,
        rendering: MessagesRendering { stop_sequences },
        ignored,
    })
}

impl IncomingRequest {
    /// A client that continues a thread leaves out the earlier messages, which only the server would know.
    fn reject_thread(&self) -> Result<(), ApiError> {
        match self.thread {
            None => Ok(()),
            Some(_) => Err(ApiError::new(
                ErrorCode::UnsupportedParameter,
                "Threads are not supported: send the whole conversation in `messages` (for a tool runner, \
                 `thread: false`), or name a session in the header `x-session-id`.",
            )
            .param(THREAD)),
        }
    }

    fn sampling(&self, options: &mut ChatOptions) -> Result<(), ApiError> {
        let is_unit = |value: &Option<f64>| value.is_none_or(|it| (0.0..=1.0).contains(&it));
        for (name, value) in [("temperature", &self.temperature), ("top_p", &self.top_p)] {
            if !is_unit(value) {
                return Err(invalid(name, format!("`{name}` is a number from 0 to 1.")));
            }
        }
        options.temperature = self.temperature;
        options.top_p = self.top_p;
        if let Some(top_k) = self.top_k {
            // Not a parameter of chat completions; profiles pass it on by its name.
            let value = Json::from_value(&top_k).map_err(ApiError::internal)?;
            options.extensions.push(("top_k".to_owned(), value));
        }
        Ok(())
    }
}

/// The end user. Other labels have no meaning here.
fn user(
    metadata: Option<&Json>,
    ignored: &mut Vec<Cow<'static, str>>,
) -> Result<Option<String>, ApiError> {
    let Some(metadata) = metadata else {
        return Ok(None);
    };
    let members: clawless_core::members::Members = read_at(metadata, "metadata")?;
    let mut user = None;
    for (name, value) in members.0 {
        if name == "user_id" {
            user = read_at(&value, "metadata.user_id")?;
        } else {
            ignore(ignored, "metadata.", &name);
        }
    }
    Ok(user)
}

/// The tiers of the API. Neither is sent to a provider as long as no profile has its price.
fn service_tier(tier: Option<String>) -> Result<Option<String>, ApiError> {
    match tier.as_deref() {
        // What a request without the parameter gets.
        None | Some("auto") => Ok(None),
        Some("standard_only") => Ok(tier),
        Some(_) => Err(invalid(
            "service_tier",
            "`service_tier` is `auto` or `standard_only`.",
        )),
    }
}

fn check_stop_sequences(texts: &[String]) -> Result<(), ApiError> {
    let is_valid = |text: &String| (1..=MAX_STOP_BYTES).contains(&text.len());
    if texts.len() <= MAX_STOP_SEQUENCES && texts.iter().all(is_valid) {
        return Ok(());
    }
    Err(invalid(
        "stop_sequences",
        format!("Up to {MAX_STOP_SEQUENCES} texts of 1 to {MAX_STOP_BYTES} bytes."),
    ))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
