//! Errors as servers report them, by status or inside an answer. One reader serves every wire: the
//! forms of OpenAI-compatible servers, Anthropic and Google differ in the places of their members.

use clawless_core::Millis;
use serde_json::Value;

use crate::error::LlmError;
use crate::retry_after;

/// The longest sentence of a provider that is passed on or logged, in characters.
const MAX_SENTENCE: usize = 400;

/// Codes and types of "the prompt does not fit the context window".
const TOO_LONG_CODES: &[&str] = &[
    "context_length",
    "context_window",
    "exceed_context_size",
    "max_prompt_tokens",
    "tokens_limit_reached",
    "prompt_too_long",
    "input_too_long",
];

/// The same in sentences, in lower case.
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
];

/// Codes and types of "our rate is limited".
const RATE_CODES: &[&str] = &["rate_limit", "ratelimit", "resource_exhausted", "throttl"];

/// The same in sentences, in lower case.
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
    "too many requests",
];

/// Codes, types and sentences of "a filter refuses the input", in lower case.
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
];

/// Codes, types and sentences of "the account that pays for us is empty", in lower case.
const UNPAID: &[&str] = &[
    "insufficient_quota",
    "insufficient balance",
    "insufficient_balance",
    "exceeded_current_quota_error",
    "credit balance",
    "insufficient credits",
    "billing_not_active",
];

/// Reads the body of an answer whose status is no success.
pub(crate) fn refusal(status: u16, body: &[u8]) -> LlmError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let report = Report::of(&body);
    let retry_after = report.retry_after;
    match status {
        402..=499 if report.is_about_our_account() && retry_after.is_none() => {
            LlmError::Misconfigured { status }
        }
        429 => LlmError::RateLimited { retry_after },
        // Some servers refuse with 413 or 400 what exceeds their tokens a minute.
        400 | 403 | 413 | 422 if report.is_about_rate() => LlmError::RateLimited { retry_after },
        400 | 404 | 413 | 422 | 500..=599 if report.is_too_long() => LlmError::ContextLength,
        400 | 422 if report.is_about_our_account() || report.says("invalid_api_key") => {
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

/// The client's request is wrong, in the provider's words where it has any.
pub(crate) fn invalid(message: Option<String>) -> LlmError {
    let generic = "The model's provider refuses the request as invalid.";
    LlmError::InvalidRequest {
        message: message
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| generic.to_owned()),
        param: None,
    }
}

/// Reads an error inside an answer with a status of success.
pub(crate) fn reported(error: &Value) -> LlmError {
    let report = Report::of(error);
    let retry_after = report.retry_after;
    if report.is_about_rate() || report.status == Some(429) {
        return LlmError::RateLimited { retry_after };
    }
    if report.is_too_long() {
        return LlmError::ContextLength;
    }
    if report.is_flagged() {
        return report.into_invalid_request();
    }
    match report.status {
        Some(503 | 529) => LlmError::Overloaded { retry_after },
        None if report.says("overloaded") => LlmError::Overloaded { retry_after },
        _ => LlmError::Reported(one_line(
            report.message.as_deref().unwrap_or("without a message"),
        )),
    }
}

/// An error, gathered from the places where servers put its parts.
#[derive(Default)]
struct Report {
    message: Option<String>,
    param: Option<String>,
    /// Code, type and status by name, in lower case.
    names: Vec<String>,
    /// The HTTP status that the body names.
    status: Option<u64>,
    /// The waiting time that the body names.
    retry_after: Option<Millis>,
    /// The body says that a filter flagged the input.
    has_flags: bool,
}

impl Report {
    fn of(body: &Value) -> Self {
        // Google wraps its errors into a list.
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
        let names = ["code", "type", "status"];
        let names = names.iter().filter_map(|name| text(error.get(name)?));
        let codes = ["code", "status", "status_code"];
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
    fn says(&self, word: &str) -> bool {
        self.names.iter().any(|name| name.contains(word))
    }

    fn says_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.says(word))
    }

    /// Whether the sentence contains one of these phrases.
    fn reads_any(&self, phrases: &[&str]) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    fn is_about_our_account(&self) -> bool {
        self.says_any(UNPAID) || self.reads_any(UNPAID)
    }

    fn is_about_rate(&self) -> bool {
        self.says_any(RATE_CODES) || self.reads_any(RATE_PHRASES)
    }

    fn is_flagged(&self) -> bool {
        // A suspended account is the operator's business, whatever it is suspended for.
        let is_ours = self.reads_any(&["account", "organization", "api key", "permission"]);
        self.has_flags || (!is_ours && (self.says_any(FLAGGED) || self.reads_any(FLAGGED)))
    }

    fn is_too_long(&self) -> bool {
        // A name or an id that is too long is not a prompt that is too long.
        if self.says("string_above_max_length") {
            return false;
        }
        // Z.ai has no words for its codes.
        if self.says_any(TOO_LONG_CODES) || self.names.iter().any(|name| name == "1261") {
            return true;
        }
        let is_about_tokens = self.reads_any(&["token"]);
        let is_about_input = self.reads_any(&["prompt", "input", "messages", "conversation"]);
        let is_excess = self.reads_any(&[
            "exceed",
            "too long",
            "too large",
            "too many",
            "larger than",
            "longer than",
            "more than",
            "greater than",
        ]);
        self.reads_any(TOO_LONG_PHRASES) || (is_about_tokens && is_about_input && is_excess)
    }

    /// The provider serves the model, but not with what the request asks for.
    fn unsupported_feature(&self) -> Option<LlmError> {
        if !self.reads_any(&["no endpoints found that support", "does not support"]) {
            return None;
        }
        let param = if self.reads_any(&["tool", "function"]) {
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

/// The sentence of an error and the parameter at fault: in the open, or as `FastAPI`'s list of
/// details.
fn message_and_param(error: &Value) -> (Option<String>, Option<String>) {
    if let Some(text) = error.as_str() {
        return (Some(text.to_owned()), None);
    }
    let param = error.get("param").and_then(text);
    let names = [
        "message",
        "msg",
        "status_msg",
        "error_description",
        "detail",
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

/// A text, or the digits of a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A provider's sentence, cut to [`MAX_SENTENCE`] and rid of line ends and control characters.
pub(crate) fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SENTENCE)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_means_what_the_caller_can_do() {
        let wait = None;
        let cases = [
            (429, "{}", LlmError::RateLimited { retry_after: wait }),
            (
                429,
                r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#,
                LlmError::Misconfigured { status: 429 },
            ),
            (529, "<html>", LlmError::Overloaded { retry_after: wait }),
            (
                503,
                "",
                LlmError::ServerError {
                    status: 503,
                    retry_after: wait,
                },
            ),
            (401, "{}", LlmError::Misconfigured { status: 401 }),
            (404, "{}", LlmError::Misconfigured { status: 404 }),
            (
                400,
                r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#,
                LlmError::ContextLength,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 9"}"#,
                LlmError::ContextLength,
            ),
            (
                400,
                "{\"error\":{\"message\":\"bad\\r\\n\\u001b[31mstop\",\"param\":\"stop\"}}",
                LlmError::InvalidRequest {
                    message: "bad   [31mstop".to_owned(),
                    param: Some("stop".to_owned()),
                },
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
                LlmError::Misconfigured { status: 400 },
            ),
            (
                422,
                "<html>secret</html>",
                LlmError::InvalidRequest {
                    message: "The model's provider refuses the request as invalid.".to_owned(),
                    param: None,
                },
            ),
        ];
        for (status, body, expected) in cases {
            assert_eq!(
                refusal(status, body.as_bytes()),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_reported_error_is_read_in_every_form() {
        let read = |text| reported(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(read(r#""boom""#), LlmError::Reported("boom".to_owned()));
        assert_eq!(
            read(r#"{"message":"boom"}"#),
            LlmError::Reported("boom".to_owned())
        );
        assert!(matches!(read("{}"), LlmError::Reported(_)));
        let busy = LlmError::Overloaded { retry_after: None };
        assert_eq!(read(r#"{"message":"x","code":503}"#), busy);
        assert_eq!(read(r#"{"type":"overloaded_error"}"#), busy);
        assert_eq!(
            read(r#"{"code":"rate_limit_exceeded"}"#),
            LlmError::RateLimited { retry_after: None }
        );
    }

    #[test]
    fn a_prompt_that_is_too_long_is_recognised_in_every_servers_words() {
        for (status, body) in [
            (
                400,
                r#"{"error":{"message":"You passed 202753 input tokens and requested 0 output tokens. However, the model's context length is only 202752 tokens.","type":"BadRequestError","param":null,"code":400}}"#,
            ),
            (
                400,
                r#"{"error":"Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"Prompt contains 140000 tokens and 0 draft tokens, too large for model with 131072 maximum context length","type":"invalid_request_prompt","code":"3051"}"#,
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
            ),
            (
                400,
                r#"{"error":{"message":"Please reduce the length of the messages or completion.","code":"context_length_exceeded"}}"#,
            ),
            (
                422,
                r#"{"error":{"message":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`","param":"max_tokens"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":"1261","message":"Prompt exceeds max length"}}"#,
            ),
            (
                400,
                r#"{"error":{"object":"error","code":"invalid_request_error","message":"The prompt is too long: 140000, model maximum context length: 131071"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            ),
            (
                400,
                r#"{"message":"Input is too long for requested model."}"#,
            ),
            (
                400,
                r#"{"error":{"message":"prompt token count of 140000 exceeds the limit of 128000","code":"model_max_prompt_tokens_exceeded"}}"#,
            ),
            (
                500,
                r#"{"error":{"message":"input length exceeds maximum context length","type":"api_error"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
            ),
            (
                400,
                r#"{"error":"This model's maximum prompt length is 131072 but the request contains 140000 tokens."}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid request: Your request exceeded model token limit: 8192","type":"invalid_request_error"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]","code":"invalid_parameter_error"}}"#,
            ),
            (
                413,
                r#"{"error":{"code":"tokens_limit_reached","message":"Request body too large for gpt-4o model. Max size: 8000 tokens."}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
            ),
        ] {
            assert_eq!(
                refusal(status, body.as_bytes()),
                LlmError::ContextLength,
                "{body}"
            );
        }
        for body in [
            r#"{"error":{"message":"max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens"}}"#,
            r#"{"error":{"message":"Invalid 'messages[1].tool_calls[0].id': string too long.","code":"string_above_max_length","param":"messages[1].tool_calls[0].id"}}"#,
            r#"{"detail":[{"loc":["body","temperature"],"msg":"Input should be less than or equal to 2"}]}"#,
        ] {
            let error = refusal(400, body.as_bytes());
            assert!(
                matches!(error, LlmError::InvalidRequest { .. }),
                "{body}: {error:?}"
            );
        }
    }

    #[test]
    fn a_rate_limit_is_one_whatever_its_status() {
        let body = r#"{"error":{"message":"Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#;
        for status in [400, 413, 429] {
            assert_eq!(
                refusal(status, body.as_bytes()),
                LlmError::RateLimited { retry_after: None }
            );
        }
    }

    #[test]
    fn the_waiting_time_of_the_body_is_read() {
        let body = r#"[{"error":{"code":429,"message":"You exceeded your current quota. Please retry in 34.07s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}]"#;
        let wait = Some(Millis::from_secs(34));
        assert_eq!(
            refusal(429, body.as_bytes()),
            LlmError::RateLimited { retry_after: wait }
        );
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(reported(&body), LlmError::RateLimited { retry_after: wait });
    }

    #[test]
    fn flagged_input_is_the_clients_whatever_its_status() {
        for (status, body) in [
            (
                403,
                r#"{"error":{"message":"Input was flagged","code":403,"metadata":{"reasons":["violence"],"flagged_input":"...","provider_name":"OpenAI"}}}"#,
            ),
            (
                404,
                r#"{"error":{"message":"Your input was blocked by moderation."}}"#,
            ),
            (
                400,
                r#"{"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content."}}"#,
            ),
        ] {
            let error = refusal(status, body.as_bytes());
            assert!(
                matches!(error, LlmError::InvalidRequest { .. }),
                "{body}: {error:?}"
            );
            assert!(!error.is_providers_fault());
        }
        for (status, body) in [
            (403, "{}"),
            (
                403,
                r#"{"error":{"message":"Your account was suspended: it violates our usage policies."}}"#,
            ),
            (
                404,
                r#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#,
            ),
        ] {
            assert_eq!(
                refusal(status, body.as_bytes()),
                LlmError::Misconfigured { status }
            );
        }
        let images =
            r#"{"error":{"message":"No endpoints found that support image input","code":404}}"#;
        assert!(matches!(
            refusal(404, images.as_bytes()),
            LlmError::Unsupported { param, .. } if param == "messages"
        ));
    }

    #[test]
    fn details_of_a_validation_error_name_the_parameter() {
        let body = r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","param":null}"#;
        assert_eq!(
            refusal(422, body.as_bytes()),
            LlmError::InvalidRequest {
                message: "Extra inputs are not permitted".to_owned(),
                param: Some("max_completion_tokens".to_owned()),
            }
        );
    }

    #[test]
    fn a_long_sentence_is_cut() {
        assert_eq!(one_line(&"\u{e4}".repeat(10_000)).chars().count(), 400);
    }
}
