//! Finish reasons, in the words of many servers.

use clawless_core::FinishReason;

use crate::error::LlmError;

/// Reads a finish reason. Reasons that nobody knows mean that the model stopped, or, where it has
/// called tools, that it wants them run; those that say that something broke are errors.
pub(super) fn read(text: &str, has_calls: bool) -> Result<FinishReason, LlmError> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "stop" | "eos" | "end_turn" | "stop_sequence" => FinishReason::Stop,
        "length" | "max_tokens" | "model_length" | "max_output_tokens" => FinishReason::Length,
        // The older form is told in the client's words, whatever its server's are (`older`).
        "tool_calls" | "tool_use" | "tool_call" | "function_call" => FinishReason::ToolCalls,
        "content_filter" | "safety" | "recitation" | "blocklist" | "prohibited_content"
        | "refusal" => FinishReason::ContentFilter,
        "error" | "abort" | "cancelled" | "canceled" | "insufficient_system_resource" => {
            return Err(LlmError::Truncated(
                "the finish reason says that the provider broke off".to_owned(),
            ));
        }
        _ if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_unknown_and_broken_reasons_are_told_apart() {
        let cases = [
            ("stop", false, Some(FinishReason::Stop)),
            ("stop", true, Some(FinishReason::Stop)),
            ("STOP", false, Some(FinishReason::Stop)),
            ("max_tokens", false, Some(FinishReason::Length)),
            ("tool_use", true, Some(FinishReason::ToolCalls)),
            ("function_call", true, Some(FinishReason::ToolCalls)),
            ("SAFETY", false, Some(FinishReason::ContentFilter)),
            ("vibes", false, Some(FinishReason::Stop)),
            ("vibes", true, Some(FinishReason::ToolCalls)),
            ("error", false, None),
            ("abort", true, None),
        ];
        for (text, has_calls, expected) in cases {
            assert_eq!(read(text, has_calls).ok(), expected, "{text}");
        }
    }
}
