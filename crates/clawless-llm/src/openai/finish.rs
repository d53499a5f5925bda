//! Maps the finish reasons of many servers.

use clawless_core::FinishReason;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::LlmError;

/// The model stopped by itself. All reasons are in lower case without separators: servers write
/// `end_turn`, `endTurn` and `END_TURN`.
const STOP: &[&str] = &[
    "stop",
    "stopped",
    "stopsequence",
    "stopsequences",
    "stopword",
    "stoptoken",
    "stopstr",
    "stopstring",
    "stopcriteriamet",
    "eos",
    "eostoken",
    "eostokenid",
    "eosfound",
    "eot",
    "end",
    "endturn",
    // Anthropic: server-side tools paused the turn, which may be continued.
    "pauseturn",
    "endoftext",
    "endoftokens",
    "complete",
    "completed",
    "finish",
    "finished",
    "done",
    "success",
    "matchedstop",
    "normal",
];

/// The response reached a limit: of the request, the model or its context window.
const LENGTH: &[&str] = &[
    "length",
    "maxlength",
    "lengthcapped",
    "lengthlimit",
    "limit",
    "maxtoken",
    "maxtokens",
    "maxtokensreached",
    "maxnewtokens",
    "maxoutputtokens",
    "maxcompletiontokens",
    "modellength",
    "maxmodellen",
    "modelcontextwindowexceeded",
    "contextlength",
    "contextlengthexceeded",
    "contextwindowexceeded",
    "contextoverflow",
    "contextlimit",
    "tokenlimit",
    "tokenlimitreached",
    "errorlimit",
    "truncated",
];

const TOOL_CALLS: &[&str] = &[
    "toolcalls",
    "toolcall",
    "tooluse",
    "tools",
    "tool",
    // The legacy form is restored for the client later, whatever form the server uses
    // (`legacy_functions`).
    "functioncall",
    "functioncalls",
];

/// A content filter cut or withheld the response.
const FILTER: &[&str] = &[
    "contentfilter",
    "contentfiltered",
    "contentfiltererror",
    "contentpolicy",
    "contentpolicyviolation",
    "contentmoderation",
    "contentblocked",
    "safety",
    "safetyfilter",
    "imagesafety",
    "recitation",
    "imagerecitation",
    "blocklist",
    "blocked",
    "prohibitedcontent",
    "imageprohibitedcontent",
    "modelarmor",
    "spii",
    "language",
    "refusal",
    "refused",
    "sensitive",
    "moderation",
    "moderated",
    "flagged",
    "errortoxic",
    "toxic",
    "risk",
    "highrisk",
    "guardrail",
    "guardrails",
    "guardrailintervened",
];

/// A finish reason as received: a text, a number, or an object whose `type` is the text (`SGLang`,
/// `TGI`). Absent if it is null, false or empty.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Reason(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(text_of(value)))
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => Some(text).filter(|text| !is_absent(text)),
        Value::Array(list) => list.into_iter().find_map(text_of),
        Value::Object(mut members) => {
            let names = ["type", "reason", "finish_reason", "name"];
            let text = names.iter().find_map(|name| members.remove(*name));
            // An object without a known member must not count as success.
            let unnamed = || (!members.is_empty()).then(|| "object".to_owned());
            text.and_then(text_of).or_else(unnamed)
        }
        other => Some(other.to_string()),
    }
}

/// Whether the text in place of a finish reason means that there is none yet.
fn is_absent(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let absent = [
        "",
        "null",
        "none",
        "undefined",
        "finish_reason_unspecified",
        "in_progress",
    ];
    absent.contains(&text.as_str())
}

/// Parses a finish reason.
///
/// # Errors
/// The reason means that the provider aborted, or it is unknown: a response that may be truncated
/// must not count as complete.
pub(crate) fn read(text: &str) -> Result<FinishReason, LlmError> {
    let name = normalize(text);
    let groups = [
        (STOP, FinishReason::Stop),
        (LENGTH, FinishReason::Length),
        (TOOL_CALLS, FinishReason::ToolCalls),
        (FILTER, FinishReason::ContentFilter),
    ];
    let found = groups
        .into_iter()
        .find(|(words, _)| words.contains(&name.as_str()));
    if let Some((_, reason)) = found {
        return Ok(reason);
    }
    let reason: String = crate::failure::one_line(text).chars().take(80).collect();
    Err(LlmError::Truncated(format!("finish reason `{reason}`")))
}

/// A reason in lower case without separators, without a prefix (`FINISH_REASON_STOP`,
/// `FinishReason.STOP`) and without the details that some servers add after a colon
/// (`content_filter: RECITATION`).
fn normalize(text: &str) -> String {
    let name = text.split(':').next().unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    let bare = name.strip_prefix("finishreason");
    bare.filter(|bare| !bare.is_empty())
        .map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_of_many_servers_are_mapped_in_any_spelling() {
        let groups: [(FinishReason, &[&str]); 4] = [
            (
                FinishReason::Stop,
                &[
                    "stop",
                    "Stop",
                    "STOP",
                    "FINISH_REASON_STOP",
                    "FinishReason.STOP",
                    "eos",
                    "eos_token",
                    "EOS_TOKEN",
                    "end_turn",
                    "endTurn",
                    "END_TURN",
                    "COMPLETE",
                    "completed",
                    "stop_sequence",
                    "stop-sequence",
                    "stopSequence",
                    "STOP_SEQUENCE",
                    "done",
                    "pause_turn",
                    " stop ",
                ],
            ),
            (
                FinishReason::Length,
                &[
                    "length",
                    "LENGTH",
                    "max_tokens",
                    "MAX_TOKENS",
                    "maxTokens",
                    "max_output_tokens",
                    "model_length",
                    "length_limit",
                    "model_context_window_exceeded",
                    "FINISH_REASON_MAX_TOKENS",
                    "max-tokens",
                    "max tokens",
                    "context_length_exceeded",
                    "length_capped",
                    "ERROR_LIMIT",
                ],
            ),
            (
                FinishReason::ToolCalls,
                &[
                    "tool_calls",
                    "toolCalls",
                    "TOOL_CALLS",
                    "tool_call",
                    "TOOL_CALL",
                    "tool_use",
                    "toolUse",
                    "function_call",
                    "FUNCTION_CALL",
                    "tool-calls",
                ],
            ),
            (
                FinishReason::ContentFilter,
                &[
                    "content_filter",
                    "content-filter",
                    "contentFilter",
                    "CONTENT_FILTERED",
                    "content_filter: RECITATION",
                    "content_filter: PROHIBITED_CONTENT",
                    "SAFETY",
                    "IMAGE_SAFETY",
                    "RECITATION",
                    "BLOCKLIST",
                    "PROHIBITED_CONTENT",
                    "SPII",
                    "LANGUAGE",
                    "sensitive",
                    "refusal",
                    "guardrail_intervened",
                    "ERROR_TOXIC",
                    "MODEL_ARMOR",
                ],
            ),
        ];
        for (expected, reasons) in groups {
            for text in reasons {
                assert_eq!(read(text), Ok(expected), "{text}");
            }
        }
    }

    #[test]
    fn an_unknown_reason_is_never_success() {
        for text in [
            "error",
            "ERROR",
            "abort",
            "aborted",
            "cancelled",
            "network_error",
            "timeout",
            "insufficient_system_resource",
            "malformed_function_call",
            "MALFORMED_FUNCTION_CALL",
            "UNEXPECTED_TOOL_CALL",
            "OTHER",
            "model_error",
            "engine_overloaded",
            "preempted",
            "vibes",
            "1",
            "\u{1f600}",
            "finish_reason",
            ":",
            "stop_it",
            "unstop",
        ] {
            assert!(matches!(read(text), Err(LlmError::Truncated(_))), "{text}");
        }
    }

    #[test]
    fn reasons_of_other_json_types_are_read() {
        for (json, expected) in [
            (r#""stop""#, Some("stop")),
            ("null", None),
            ("false", None),
            (r#""""#, None),
            (r#""null""#, None),
            (r#""None""#, None),
            (r#""FINISH_REASON_UNSPECIFIED""#, None),
            ("2", Some("2")),
            ("true", Some("true")),
            (r#"{"type":"stop","matched":2}"#, Some("stop")),
            (r#"{"type":"length","length":128}"#, Some("length")),
            (r#"{"type":"abort","message":"x"}"#, Some("abort")),
            (r#"{"why":"x"}"#, Some("object")),
            ("{}", None),
            (r#"["length"]"#, Some("length")),
        ] {
            let reason: Reason = serde_json::from_str(json).expect("JSON");
            assert_eq!(reason.0.as_deref(), expected, "{json}");
        }
    }
}
