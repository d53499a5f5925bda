//! Classifies provider errors, by status or inside a response. One parser serves all wires:
//! OpenAI-compatible servers, Anthropic and Google differ only in where their members are.

use clawless_core::Millis;
use serde_json::Value;

use crate::error::LlmError;
use crate::retry_after;

/// The maximum length of a provider message that is returned or logged, in characters.
const MAX_SENTENCE: usize = 400;

/// Codes and types of context window errors.
const TOO_LONG_CODES: &[&str] = &[
    "context_length",
    "context_window",
    "exceed_context_size",
    "max_prompt_tokens",
    "tokens_limit_reached",
    "prompt_too_long",
    "input_too_long",
];

/// Phrases of context window errors, in lower case.
const TOO_LONG_PHRASES: &[&str] = &[
    "context length",
    "context window",
    "context size",
    "context limit",
    "maximum context",
    "maximum prompt length",
    "prompt is too long",
    "prompt too long",
    "prompt exceeds",
    "prompt length",
    "maximum model length",
    "max_model_len",
    "must have less than",
    "too large to process",
    "\u{8d85}\u{957f}",
    "\u{4e0a}\u{4e0b}\u{6587}\u{957f}\u{5ea6}",
    "input is too long",
    "input too long",
    "input length",
    "length of the messages",
    "length of the prompt",
    "too many tokens",
    "too many input tokens",
    "exceeded model token limit",
    "exceed max message tokens",
    "more than max tokens allowed",
    "`inputs` tokens",
    // vLLM computes the output limit that the prompt leaves.
    "tokens must be at least 1, got",
];

/// Codes and types of rate limit errors.
const RATE_CODES: &[&str] = &["rate_limit", "ratelimit", "resource_exhausted", "throttl"];

/// Phrases of rate limit errors, in lower case.
const RATE_PHRASES: &[&str] = &[
    "per minute",
    "per second",
    "per hour",
    "per day",
    "(tpm)",
    "(rpm)",
    "(tpd)",
    "(rpd)",
    "rate limit",
    "rate-limit",
    "too many requests",
    "too many concurrent",
    "concurrency limit",
    "\u{901f}\u{7387}\u{9650}\u{5236}",
    "\u{8bf7}\u{6c42}\u{8fc7}\u{4e8e}\u{9891}\u{7e41}",
];

/// Codes of `Z.ai`, which are numbers.
const ZAI_TOO_LONG: &[&str] = &["1261"];
const ZAI_RATE: &[&str] = &["1302", "1303", "1304", "1305"];
const ZAI_FLAGGED: &[&str] = &["1301"];
const ZAI_UNPAID: &[&str] = &["1113"];

/// Codes, types and phrases of content filter errors, in lower case.
const FLAGGED: &[&str] = &[
    "flagged",
    "moderation",
    "content_filter",
    "content filter",
    "content_policy",
    "content policy",
    "content management policy",
    "safety system",
    "safety policy",
    "usage polic",
    "data_inspection",
    "datainspection",
    "inappropriate content",
    "sensitive",
    "prohibited content",
    "prohibited_content",
    "content filtering",
    "content exists risk",
    "considered high risk",
    "responsible ai",
    "responsibleai",
    "policy_violation",
    "guardrail",
    "jailbreak",
    "unsafe content",
    "\u{654f}\u{611f}",
    "\u{4e0d}\u{5b89}\u{5168}",
    "\u{8fdd}\u{89c4}",
];

/// Phrases that contain one of these words, but are about letter case, in lower case.
const ABOUT_CASE: &[&str] = &["case-sensitive", "case sensitive", "case-insensitive"];

/// Phrases of content filter errors that also name the account, in lower case.
const SURELY_FLAGGED: &[&str] = &["content violates", "usage guidelines", "safety_check"];

/// Codes, types and phrases of "the provider account has no credit", in lower case.
const UNPAID: &[&str] = &[
    "insufficient_quota",
    "insufficient balance",
    "insufficient_balance",
    "exceeded_current_quota_error",
    "credit balance",
    "insufficient credits",
    "billing_not_active",
    "arrearage",
    "insufficient funds",
    "\u{4f59}\u{989d}\u{4e0d}\u{8db3}",
];

/// Types of errors that the request caused, in lower case.
const INVALID_TYPES: &[&str] = &[
    "invalid_request",
    "badrequest",
    "bad_request",
    "validation_error",
];

/// Classifies the body of an unsuccessful response.
pub(crate) fn refusal(status: u16, body: &[u8]) -> LlmError {
    let report = Report::of(&value(body));
    let retry_after = report.retry_after;
    match status {
        402..=499 if report.is_about_our_account() && retry_after.is_none() => {
            LlmError::Misconfigured { status }
        }
        429 => LlmError::RateLimited { retry_after },
        // Some servers return 413 or 400 for a tokens-per-minute limit.
        400 | 403 | 413 | 422 if report.is_about_rate() => LlmError::RateLimited { retry_after },
        400 | 404 | 413 | 422 | 500..=599 if report.is_too_long() => LlmError::ContextLength,
        400 | 422 if report.is_about_our_account() || report.code_contains("invalid_api_key") => {
            LlmError::Misconfigured { status }
        }
        498 | 529 => LlmError::Overloaded { retry_after },
        408 | 409 | 425 | 500..=599 => LlmError::ServerError {
            status,
            retry_after,
        },
        400 | 413 | 422 => report.into_invalid_request(),
        403 | 404 | 451 if report.is_flagged() => report.into_invalid_request(),
        404 => report
            .unsupported_feature()
            .unwrap_or(LlmError::Misconfigured { status }),
        _ => LlmError::Misconfigured { status },
    }
}

/// The body as JSON. A line of plain text, which some servers send, becomes a text; an HTML page and
/// truncated JSON are ignored.
fn value(body: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(body) {
        return value;
    }
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let is_plain = !text.is_empty() && !text.starts_with(['<', '{', '[']);
    if is_plain { text.into() } else { Value::Null }
}

/// An invalid request, with the provider's message if it has one.
pub(crate) fn invalid(message: Option<String>) -> LlmError {
    let generic = "The model's provider refuses the request as invalid.";
    LlmError::InvalidRequest {
        message: message
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| generic.to_owned()),
        param: None,
    }
}

/// Classifies an error inside a response with a successful status.
pub(crate) fn reported(error: &Value) -> LlmError {
    let report = Report::of(error);
    let retry_after = report.retry_after;
    if report.is_about_rate() || report.status == Some(429) {
        return LlmError::RateLimited { retry_after };
    }
    if report.is_too_long() {
        return LlmError::ContextLength;
    }
    if report.is_about_our_account() {
        return LlmError::Misconfigured { status: 200 };
    }
    if report.is_flagged() || report.is_about_the_request() {
        return report.into_invalid_request();
    }
    match report.status {
        Some(status @ 401..=404) => LlmError::Misconfigured { status },
        Some(503 | 529) => LlmError::Overloaded { retry_after },
        None if report.code_contains("overloaded") => LlmError::Overloaded { retry_after },
        _ => LlmError::Reported(one_line(
            report.message.as_deref().unwrap_or("without a message"),
        )),
    }
}

/// The parts of an error, collected from the places where servers put them.
#[derive(Default)]
struct Report {
    message: Option<String>,
    param: Option<String>,
    /// Code, type and status name, in lower case.
    names: Vec<String>,
    /// The HTTP status in the body.
    status: Option<u16>,
    /// The retry delay in the body.
    retry_after: Option<Millis>,
    /// Whether the body reports that a filter flagged the input.
    has_flags: bool,
}

impl Report {
    fn of(body: &Value) -> Self {
        // Google wraps errors in a list.
        let body = body
            .as_array()
            .and_then(|list| list.first())
            .unwrap_or(body);
        let nested = ["error", "errors"].iter().find_map(|name| body.get(name));
        let nested = nested.map(|it| it.as_array().and_then(|list| list.first()).unwrap_or(it));
        let error = nested.filter(|it| !it.is_null()).unwrap_or(body);
        let metadata = error.get("metadata");
        let (message, param) = message_and_param(error);
        let (outer, _) = message_and_param(body);
        let names = ["code", "type", "status", "error_code", "status_code"];
        let names = names.iter().filter_map(|name| text(error.get(name)?));
        let codes = ["code", "status", "status_code", "statusCode", "error_code"];
        let mut codes = codes.iter().filter_map(|name| number(error.get(name)?));
        Self {
            message: message.or(outer),
            param,
            names: names.map(|name| name.to_lowercase()).collect(),
            status: codes.find(|code| (400..600).contains(code)),
            retry_after: retry_after::in_body(body),
            has_flags: metadata
                .is_some_and(|it| it.get("flagged_input").is_some() || it.get("reasons").is_some()),
        }
    }

    /// Whether the error's code or type contains `word`.
    fn code_contains(&self, word: &str) -> bool {
        self.names.iter().any(|name| name.contains(word))
    }

    fn code_contains_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code_contains(word))
    }

    /// Whether the error's code is one of these.
    fn code_is_any(&self, codes: &[&str]) -> bool {
        self.names.iter().any(|name| codes.contains(&name.as_str()))
    }

    /// Whether the message contains one of these phrases.
    fn message_contains_any(&self, phrases: &[&str]) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    fn is_about_our_account(&self) -> bool {
        self.code_contains_any(UNPAID)
            || self.code_is_any(ZAI_UNPAID)
            || self.message_contains_any(UNPAID)
    }

    /// Whether the provider says that the request is invalid.
    fn is_about_the_request(&self) -> bool {
        matches!(self.status, Some(400 | 413 | 422)) || self.code_contains_any(INVALID_TYPES)
    }

    fn is_about_rate(&self) -> bool {
        self.code_contains_any(RATE_CODES)
            || self.code_is_any(ZAI_RATE)
            || self.message_contains_any(RATE_PHRASES)
    }

    fn is_flagged(&self) -> bool {
        // A suspended account is an operator problem, not a content filter.
        let is_ours =
            self.message_contains_any(&["account", "organization", "api key", "permission"]);
        self.has_flags
            || self.code_is_any(ZAI_FLAGGED)
            || self.message_contains_any(SURELY_FLAGGED)
            || (!is_ours && (self.code_contains_any(FLAGGED) || self.message_is_about_content()))
    }

    /// Whether the message has a phrase of a content filter.
    fn message_is_about_content(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        let without = |text: String, phrase: &&str| text.replace(phrase, "");
        let message = ABOUT_CASE.iter().fold(message, without);
        FLAGGED.iter().any(|phrase| message.contains(phrase))
    }

    fn is_too_long(&self) -> bool {
        // A name or id that is too long is not a context window error.
        if self.code_contains("string_above_max_length") {
            return false;
        }
        if self.code_contains_any(TOO_LONG_CODES) || self.code_is_any(ZAI_TOO_LONG) {
            return true;
        }
        let is_about_tokens = self.message_contains_any(&["token"]);
        let is_about_input =
            self.message_contains_any(&["prompt", "input", "message", "conversation"]);
        let is_excess = self.message_contains_any(&[
            "exceed",
            "too long",
            "too large",
            "too many",
            "larger than",
            "longer than",
            "more than",
            "greater than",
            "supports up to",
        ]);
        self.message_contains_any(TOO_LONG_PHRASES)
            || (is_about_tokens && is_about_input && is_excess)
    }

    /// The provider serves the model, but not a feature of the request.
    fn unsupported_feature(&self) -> Option<LlmError> {
        if !self.message_contains_any(&["no endpoints found that support", "does not support"]) {
            return None;
        }
        let param = if self.message_contains_any(&["tool", "function"]) {
            "tools"
        } else {
            "messages"
        };
        Some(LlmError::Unsupported {
            message: one_line(self.message.as_deref()?),
            param: param.to_owned(),
        })
    }

    fn into_invalid_request(self) -> LlmError {
        match invalid(self.message.as_deref().map(one_line)) {
            LlmError::InvalidRequest { message, .. } => LlmError::InvalidRequest {
                message,
                param: self.param.as_deref().map(one_line),
            },
            other => other,
        }
    }
}

/// Message and parameter of an error, top-level or in `FastAPI`'s `detail` list.
fn message_and_param(error: &Value) -> (Option<String>, Option<String>) {
    if let Some(text) = error.as_str() {
        return (Some(text.to_owned()), None);
    }
    let param = error.get("param").and_then(text);
    let names = [
        "message",
        "msg",
        "status_msg",
        "error_msg",
        "error_message",
        "errorMessage",
        "error_description",
        "detail",
        "details",
        "title",
    ];
    let mut values = names.iter().filter_map(|name| error.get(name));
    let Some(value) = values.find(|value| !value.is_null()) else {
        return (None, param);
    };
    if let Some(text) = value.as_str() {
        return (Some(text.to_owned()), param);
    }
    let details = value.get("detail").unwrap_or(value);
    let first = details.as_array().and_then(|list| list.first());
    let first = first.unwrap_or(details);
    let place = first.get("loc").and_then(Value::as_array);
    let place = place.map(|path| {
        let path = path.iter().filter(|part| *part != "body");
        path.filter_map(text).collect::<Vec<_>>().join(".")
    });
    let message = first.as_str().map(str::to_owned);
    let message = message.or_else(|| first.get("msg").and_then(text));
    (message, param.or(place))
}

/// A text, or a number as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok()
}

/// Truncates a provider message to [`MAX_SENTENCE`] and removes control characters.
pub(crate) fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SENTENCE)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests;
