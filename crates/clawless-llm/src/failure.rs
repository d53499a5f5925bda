//! Errors as servers report them, by status or inside an answer. The forms of OpenAI-compatible
//! servers and of `Anthropic` are alike enough to be read by one piece of code.

use serde_json::Value;

use crate::error::LlmError;

/// The longest sentence of a provider that is passed on or logged, in characters.
const MAX_SENTENCE: usize = 400;

/// Reads the body of an answer whose status is no success.
pub(crate) fn refusal(status: u16, body: &[u8]) -> LlmError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let report = Report::of(&body);
    match status {
        429 if report.says("insufficient_quota") => LlmError::Misconfigured { status },
        429 => LlmError::RateLimited { retry_after: None },
        529 => LlmError::Overloaded { retry_after: None },
        408 | 409 | 425 | 500..=599 => LlmError::ServerError {
            status,
            retry_after: None,
        },
        400 | 413 | 422 if report.is_too_long() => LlmError::ContextLength,
        400 | 422 if report.says("invalid_api_key") || report.is_about_money() => {
            LlmError::Misconfigured { status }
        }
        400 | 413 | 422 => match invalid(report.message.map(one_line)) {
            LlmError::InvalidRequest { message, .. } => LlmError::InvalidRequest {
                message,
                param: report.param.map(one_line),
            },
            other => other,
        },
        _ => LlmError::Misconfigured { status },
    }
}

/// The client's request is wrong, in the provider's words where it has any.
pub(crate) fn invalid(message: Option<String>) -> LlmError {
    let generic = "The model's provider refuses the request as invalid.";
    LlmError::InvalidRequest {
        message: message.unwrap_or_else(|| generic.to_owned()),
        param: None,
    }
}

/// Reads an error that stands in an answer with a status of success.
pub(crate) fn reported(error: &Value) -> LlmError {
    let report = Report::of_error(error);
    let status = report.status.or(match () {
        () if report.says("rate_limit") => Some(429),
        () if report.says("overloaded") => Some(529),
        () => None,
    });
    if report.is_too_long() {
        return LlmError::ContextLength;
    }
    match status {
        Some(429) => LlmError::RateLimited { retry_after: None },
        Some(503 | 529) => LlmError::Overloaded { retry_after: None },
        _ => LlmError::Reported(one_line(report.message.unwrap_or("without a message"))),
    }
}

/// What servers tell of an error, each in its own place.
#[derive(Default)]
struct Report<'a> {
    message: Option<&'a str>,
    param: Option<&'a str>,
    code: Option<&'a str>,
    kind: Option<&'a str>,
    status: Option<u64>,
}

impl<'a> Report<'a> {
    fn of(body: &'a Value) -> Self {
        match body.get("error") {
            Some(error) if !error.is_null() => Self::of_error(error),
            _ => Self::of_error(body),
        }
    }

    fn of_error(error: &'a Value) -> Self {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        Self {
            message: error
                .as_str()
                .or_else(|| text("message"))
                .or_else(|| text("detail")),
            param: text("param"),
            code: text("code"),
            kind: text("type"),
            status: error.get("code").and_then(Value::as_u64),
        }
    }

    /// Whether the error's code or type contains `word`.
    fn says(&self, word: &str) -> bool {
        let names = [self.code, self.kind];
        names.into_iter().flatten().any(|name| name.contains(word))
    }

    /// Whether the account that pays for us is empty: Anthropic tells that with a 400.
    fn is_about_money(&self) -> bool {
        self.message.unwrap_or_default().contains("credit balance")
    }

    fn is_too_long(&self) -> bool {
        if self.says("context_length") {
            return true;
        }
        let message = self.message.unwrap_or_default().to_ascii_lowercase();
        [
            "context length",
            "context window",
            "context size",
            "prompt is too long",
            "too many tokens",
        ]
        .iter()
        .any(|words| message.contains(words))
    }
}

/// A provider's sentence, cut to a bearable length and rid of line ends and control characters.
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
    fn a_long_sentence_is_cut() {
        assert_eq!(one_line(&"\u{e4}".repeat(10_000)).chars().count(), 400);
    }
}
