//! Parses the body of `/v1/chat/completions`. An unsupported parameter that would change the answer
//! is rejected with its name.

use super::fields::{Fields, wrong_type};
use super::{messages, tools};
use crate::chat::{Message, Tool, ToolChoice};
use crate::error::ApiError;
use crate::sampling::Sampling;
use serde_json::Value;
use std::hash::{BuildHasher as _, RandomState};

/// The token limit of an answer when the request sets none.
const DEFAULT_MAX_TOKENS: usize = 512;
/// Low, because a small model loses coherence; not 0, because greedy sampling repeats itself.
const DEFAULT_TEMPERATURE: f32 = 0.25;
const DEFAULT_TOP_P: f32 = 0.9;
const DEFAULT_REPEAT_PENALTY: f32 = 1.1;
/// `OpenAI`'s own limit on `stop`.
const MAX_STOPS: usize = 4;

/// A checked request.
#[derive(Debug)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    pub(crate) messages: Vec<Message>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: ToolChoice,
    pub(crate) max_tokens: usize,
    pub(crate) stop: Vec<String>,
    pub(crate) sampling: Sampling,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

impl ChatRequest {
    /// Checks the body; `calls_tools`: whether the model was trained to call tools.
    pub(crate) fn read(body: &Value, calls_tools: bool) -> Result<Self, ApiError> {
        let fields = Fields::of(body, "")?;
        fields.required("model")?;
        let model = fields.text("model")?.unwrap_or_default().to_owned();
        let messages = messages::read(&fields)?;
        let (tools, tool_choice) = tools::read(&fields, calls_tools)?;
        refuse_what_cannot_be_done(&fields)?;
        let stream = fields.flag("stream")?;
        let include_usage = match fields.get("stream_options") {
            None => false,
            Some(_) if !stream => {
                return Err(ApiError::invalid(
                    "stream_options",
                    "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                ));
            }
            Some(options) => Fields::of(options, "stream_options")?.flag("include_usage")?,
        };
        let newer = fields.count("max_completion_tokens")?;
        let older = fields.count("max_tokens")?;
        Ok(Self {
            model,
            messages,
            tools,
            tool_choice,
            max_tokens: newer.or(older).unwrap_or(DEFAULT_MAX_TOKENS),
            stop: stop(&fields)?,
            sampling: sampling(&fields)?,
            stream,
            include_usage,
        })
    }
}

fn sampling(fields: &Fields<'_>) -> Result<Sampling, ApiError> {
    Ok(Sampling {
        temperature: fields
            .number("temperature", 0.0, 2.0)?
            .unwrap_or(DEFAULT_TEMPERATURE),
        top_p: fields.number("top_p", 0.0, 1.0)?.unwrap_or(DEFAULT_TOP_P),
        repeat_penalty: fields
            .number("repeat_penalty", 0.5, 2.0)?
            .unwrap_or(DEFAULT_REPEAT_PENALTY),
        frequency_penalty: fields
            .number("frequency_penalty", -2.0, 2.0)?
            .unwrap_or(0.0),
        presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?.unwrap_or(0.0),
        bias: bias(fields)?,
        seed: fields
            .integer("seed")?
            .map_or_else(random_seed, i64::cast_unsigned),
    })
}

/// The hasher's keys differ in each process and call, which is random enough for a seed.
fn random_seed() -> u64 {
    RandomState::new().hash_one("seed")
}

fn bias(fields: &Fields<'_>) -> Result<Vec<(u32, f32)>, ApiError> {
    let Some(value) = fields.get("logit_bias") else {
        return Ok(Vec::new());
    };
    let biases = Fields::of(value, "logit_bias")?;
    value
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys())
        .filter_map(|key| {
            let token = key.parse::<u32>().map_err(|_| {
                ApiError::invalid("logit_bias", format!("'{key}' is not the id of a token."))
            });
            let bias = biases.number(key, -100.0, 100.0).transpose()?;
            Some(token.and_then(|token| Ok((token, bias?))))
        })
        .collect()
}

fn stop(fields: &Fields<'_>) -> Result<Vec<String>, ApiError> {
    let stops = match fields.get("stop") {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many
            .iter()
            .enumerate()
            .map(|(index, value)| match value.as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(wrong_type(&format!("stop[{index}]"), "a string", value)),
            })
            .collect::<Result<_, _>>()?,
        Some(other) => return Err(wrong_type("stop", "a string or an array", other)),
    };
    if stops.len() > MAX_STOPS {
        return Err(ApiError::invalid(
            "stop",
            format!("Invalid 'stop': expected at most {MAX_STOPS} strings."),
        ));
    }
    Ok(stops)
}

fn refuse_what_cannot_be_done(fields: &Fields<'_>) -> Result<(), ApiError> {
    let refused = |param: &str, what: &str| {
        Err(ApiError::invalid(
            param,
            format!("The local model cannot {what}."),
        ))
    };
    if fields.count("n")?.is_some_and(|n| n > 1) {
        return refused("n", "return more than one choice");
    }
    if fields.flag("logprobs")? || fields.get("top_logprobs").is_some() {
        return refused("logprobs", "return log probabilities");
    }
    if fields.get("audio").is_some() {
        return refused("audio", "speak");
    }
    if let Some(modalities) = fields.array("modalities")?
        && modalities.iter().any(|m| m.as_str() != Some("text"))
    {
        return refused("modalities", "answer in anything but text");
    }
    if let Some(format) = fields.get("response_format") {
        let format = Fields::of(format, "response_format")?;
        format.required("type")?;
        if format.text("type")? != Some("text") {
            return refused("response_format", "guarantee a format");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
