//! Maps the finish reasons of many servers.

use clawless_core::FinishReason;

use crate::error::LlmError;

/// The model stopped by itself.
const STOP: &[&str] = &[
    "stop",
    "stopped",
    "stop_sequence",
    "stop_token",
    "stop_string",
    "eos",
    "eos_token",
    "eot",
    "end",
    "end_turn",
    // Anthropic: server-side tools paused the turn, which may be continued.
    "pause_turn",
    "end_of_text",
    "complete",
    "completed",
    "finish",
    "done",
];

/// The response reached a limit: of the request, the model or its context window.
const LENGTH: &[&str] = &[
    "length",
    "max_length",
    "max_tokens",
    "max_new_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "model_length",
    "model_context_window_exceeded",
    "context_length_exceeded",
    "context_window_exceeded",
    "token_limit",
    "length_limit",
    "error_limit",
    "truncated",
];

const TOOL_CALLS: &[&str] = &[
    "tool_calls",
    "tool_call",
    "tool_use",
    // The legacy form is restored for the client later, whatever form the server uses
    // (`legacy_functions`).
    "function_call",
    "function_calls",
];

/// A content filter cut or withheld the response.
const FILTER: &[&str] = &[
    "content_filter",
    "content_filtered",
    "content_filter_error",
    "content_policy_violation",
    "safety",
    "image_safety",
    "recitation",
    "image_recitation",
    "blocklist",
    "blocked",
    "prohibited_content",
    "image_prohibited_content",
    "spii",
    "language",
    "refusal",
    "sensitive",
    "moderation",
    "moderated",
    "flagged",
    "error_toxic",
    "guardrail_intervened",
    "guardrails",
];

/// Whether the text in place of a finish reason means that there is none yet.
pub(crate) fn is_absent(text: &str) -> bool {
    matches!(text.trim(), "" | "null" | "none" | "None")
}

/// Parses a finish reason.
///
/// # Errors
/// The reason means that the provider aborted, or it is unknown: a response that may be truncated
/// must not count as complete.
pub(crate) fn read(text: &str) -> Result<FinishReason, LlmError> {
    let name = normalize(text);
    let name = name.as_str();
    if STOP.contains(&name) {
        return Ok(FinishReason::Stop);
    }
    if LENGTH.contains(&name) {
        return Ok(FinishReason::Length);
    }
    if TOOL_CALLS.contains(&name) {
        return Ok(FinishReason::ToolCalls);
    }
    if FILTER.contains(&name) {
        return Ok(FinishReason::ContentFilter);
    }
    let reason: String = crate::failure::one_line(text).chars().take(80).collect();
    Err(LlmError::Truncated(format!("finish reason `{reason}`")))
}

/// Converts a reason to snake case, without a prefix (`FINISH_REASON_STOP`) and without the details
/// that some servers add after a colon (`content_filter: RECITATION`).
fn normalize(text: &str) -> String {
    let name = text.split(':').next().unwrap_or_default().trim();
    let name = name.to_ascii_lowercase().replace(['-', ' '], "_");
    let bare = name.strip_prefix("finish_reason_");
    bare.map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_of_many_servers_are_mapped() {
        use FinishReason::{ContentFilter, Length, Stop, ToolCalls};
        let cases = [
            ("stop", Some(Stop)),
            ("STOP", Some(Stop)),
            ("FINISH_REASON_STOP", Some(Stop)),
            ("eos", Some(Stop)),
            ("end_turn", Some(Stop)),
            ("COMPLETE", Some(Stop)),
            ("max_tokens", Some(Length)),
            ("MAX_TOKENS", Some(Length)),
            ("model_length", Some(Length)),
            ("model_context_window_exceeded", Some(Length)),
            ("tool_use", Some(ToolCalls)),
            ("function_call", Some(ToolCalls)),
            ("SAFETY", Some(ContentFilter)),
            ("sensitive", Some(ContentFilter)),
            ("content-filter", Some(ContentFilter)),
            ("content_filter: RECITATION", Some(ContentFilter)),
            ("content_filter: PROHIBITED_CONTENT", Some(ContentFilter)),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn an_unknown_reason_is_never_success() {
        for text in [
            "error",
            "abort",
            "network_error",
            "insufficient_system_resource",
            "malformed_function_call",
            "vibes",
            "1",
            "\u{1f600}",
        ] {
            assert!(matches!(read(text), Err(LlmError::Truncated(_))), "{text}");
        }
        assert!(is_absent("") && is_absent("null") && !is_absent("stop"));
    }
}
